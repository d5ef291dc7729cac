"""Secrets found by their form: private keys, addresses (passwords, parameters, webhooks), tokens that vendors issue."""

import re
from collections.abc import Iterator, Mapping

import re2

from responder.model.redaction.values import NameHint, is_secret, looks_random, word_set

# Private keys

_KEY = r"[ +](?:[A-Z0-9]+[ +])*PRIVATE[ +]KEY(?:[ +][A-Z]+)*-----"
_BREAK = r"(?:\s|\\+[nr])"
_CHARACTER = "[A-Za-z0-9+/=]"
_PEM = re2.compile(
    # The beginning, or the end with the lines of base64 before it.
    rf"-----BEGIN{_KEY}|(?:{_CHARACTER}{{16}}{_CHARACTER}*{_BREAK}+)*(?:{_CHARACTER}+{_BREAK}+)?-----END{_KEY}".encode()
)


def find_private_keys(_text: str, plain: bytes) -> Iterator[tuple[int, int, str]]:
    """Start, end and type of each private key; one without an end reaches to the end of the text."""
    if b"PRIVATE" not in plain:
        return
    begun = -1
    for found in _PEM.finditer(plain):
        start, end = found.span()
        if plain.startswith(b"-----BEGIN", start):
            begun = start if begun < 0 else begun
        else:
            yield (start if begun < 0 else begun), end, "pem"
            begun = -1
    if begun >= 0:
        yield begun, len(plain), "pem"


# Addresses

_USERINFO = re2.compile(rb"://[^\s\"'<>`]*@")
_NEXT_ADDRESS = re.compile(rb"(?<=.)(?=://)", re.DOTALL)
_USER = re.compile(rb"[^:/?#@]*+")
_PORT = re.compile(rb"[0-9]{1,5}[/?#]")
#: What follows the last ``@``; not the digest of an image.
_HOST = re.compile(rb"(?!sha\d+:)(?:\w[\w.-]*+|\[[0-9A-Fa-f:.]++\])(?=[:/?#,;\s\"'<>`)\]}\\|]|$)|\Z")
#: Logins in addresses that are no URLs: Go's MySQL driver, user:password@host, Oracle.
_LOGIN = re2.compile(
    rb"(?i)(?:^|[\s\"'=(,])([\w.+-]+):([^\s\"'()]+)@(?:tcp|unix|udp)\("
    rb"|(?:^|[\s\"'=(,])([\w.+-]+):([^\s\"'@/:,;]+)@[\w-]+(?:\.[\w-]+)*(?::[0-9]+|/)"
    rb"|(?:\bthin:|\bsqlplus\s+(?:-\w+\s+)*)([\w$#]+)/([^\s\"'@]+)@"
)
#: What stands before an e-mail address.
_MAIL = word_set("mailto from to cc bcc email mail contact owner sip acct xmpp user author reply-to sender")
#: Names that are those of secrets in a query only.
_PARAMETER = re2.compile(rb"(?i)[?&;](?:code|state|ticket|key|hdnea|hdnts)=([\w.~%+/=-]{20}[\w.~%+/=-]*)")
_SIGNATURE = re2.compile(rb"(?i)[?&;](?:[\w-]+-)?(?:sig|signature|hmac)=([^\s&#\"'<>\\]+)")
_WEBHOOK = re2.compile(
    rb"(?i)(?:hooks\.slack(?:-gov)?\.com/[a-z]+/"
    rb"|api\.telegram\.org/(?:file/)?bot"
    rb"|discord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks/[0-9]+/"
    rb"|\.webhook\.office\.com/webhookb2/|outlook\.office(?:365)?\.com/webhook(?:b2)?/"
    rb"|hooks\.zapier\.com/hooks/catch/|hook\.(?:[a-z0-9]+\.)?(?:make|integromat)\.com/"
    rb"|maker\.ifttt\.com/trigger/[^/\s]+/(?:json/)?with/key/"
    rb"|/webhook/send\?key="
    rb"|events\.(?:eu\.)?pagerduty\.com/(?:integration|x-ere)/"
    rb"|alert\.victorops\.com/integrations/generic/[0-9]+/alert/"
    rb"|open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/"
    rb"|hc-ping\.com/|nosnch\.in/|cronitor\.link/p/|webhook\.site/|api\.pushcut\.io/"
    rb"|uptime\.betterstack\.com/api/v1/heartbeat/|heartbeat\.uptimerobot\.com/"
    rb"|/integrations/v1/[a-z_]+/|/integration/)([^\s\"'<>?#\\]{8}[^\s\"'<>?#\\]*)"
    rb"|/(?:web)?hooks?(?:/[\w-]+)*/([\w-]{12}[\w-]*)"
)


def find_addresses(text: str, plain: bytes) -> Iterator[tuple[int, int, str]]:
    """Start, end and type of each secret that an address in ``text`` holds; ``plain`` is the text in ASCII.

    Most texts lack a character that every match of a pattern contains; looking for it costs far less than the pattern.
    """
    if b"@" in plain:
        yield from _logins(text, plain)
    if b"=" in plain:
        yield from _parameters(text, plain)
    if b"/" in plain:
        yield from _webhooks(text, plain)


def _logins(text: str, plain: bytes) -> Iterator[tuple[int, int, str]]:
    for found in _USERINFO.finditer(plain):
        start = found.start()
        for piece in _NEXT_ADDRESS.split(found[0]):
            if end := _userinfo(plain, start + 3, start + len(piece)):
                yield start + 3, end, "userinfo"
            start += len(piece)
    for found in _LOGIN.finditer(plain):
        start, end = found.span(found.lastindex or 0)
        user = found[(found.lastindex or 1) - 1].decode()
        if user.lower() not in _MAIL and is_secret(text[start:end], NameHint.SURE, plainly=True):
            yield start, end, "userinfo"


def _parameters(text: str, plain: bytes) -> Iterator[tuple[int, int, str]]:
    for found in _PARAMETER.finditer(plain):
        start, end = found.span(1)
        if looks_random(text[start:end]):
            yield start, end, "secret"
    for found in _SIGNATURE.finditer(plain):
        start, end = found.span(1)
        if is_secret(text[start:end], NameHint.UNLESS_WORD, plainly=True):
            yield start, end, "secret"


def _webhooks(text: str, plain: bytes) -> Iterator[tuple[int, int, str]]:
    for found in _WEBHOOK.finditer(plain):
        start, end = found.span(found.lastindex or 0)
        if found.lastindex == 1 or looks_random(text[start:end]):
            yield start, end, "webhook"


def _userinfo(plain: bytes, start: int, end: int) -> int:
    """The end of user and password in the URL whose authority begins at ``start``, 0 if it has none.

    Passwords hold ``/``, ``@``, ``#`` and ``?`` unescaped: what counts is the last ``@`` before a query that a host
    follows, or else the last one.
    """
    user = _USER.match(plain, start, end)
    colon = user.end() if user else start
    if plain[colon : colon + 1] == b"@":
        return colon if is_secret(plain[start:colon].decode(), NameHint.IF_RANDOM, plainly=True) else 0
    if plain[colon : colon + 1] != b":" or _PORT.match(plain, colon + 1, end):
        return 0
    query = min((at for sign in b"?#" if (at := plain.find(sign, colon, end)) >= 0), default=end)
    for limit in (query, end):
        at = limit
        while (at := plain.rfind(b"@", colon, at)) >= 0:
            if _HOST.match(plain, at + 1):
                password = plain[colon + 1 : at].decode()
                return at if password.isdigit() or is_secret(password, NameHint.SURE, plainly=True) else 0
    return 0


# Vendors' tokens

_WORD, _DASHED, _BASE64 = "A-Za-z0-9_", "A-Za-z0-9_-", "A-Za-z0-9_+/=.-"
_HEX, _ALNUM, _LOWER, _UPPER, _DOTTED = "0-9a-fA-F", "A-Za-z0-9", "a-z0-9", "A-Z0-9", "A-Za-z0-9_.=-"

#: Prefixes separated by spaces, the characters that follow, and how many at least. Lengths are lower bounds: vendors
#: lengthen their tokens, and what is redacted is the whole run of these characters.
_PREFIXES: tuple[tuple[str, str, str, int], ...] = (
    ("aws-key", "AKIA ASIA ABIA ACCA", _UPPER, 16),
    ("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", _ALNUM, 16),
    ("github-token", "github_pat_", _WORD, 16),
    (
        "slack-token",
        "xoxa- xoxb- xoxc- xoxd- xoxe- xoxe.xoxb- xoxe.xoxp- xoxo- xoxp- xoxr- xoxs- xapp-",
        "A-Za-z0-9+/=_-",
        8,
    ),
    # Cloud and hosting
    ("api-token", "AIza", _DASHED, 30),  # Google
    ("api-token", "GOCSPX-", _DASHED, 20),
    ("api-token", "ya29.", _DOTTED, 20),
    ("api-token", "1//0", _DASHED, 30),
    ("api-token", "ABSK bedrock-api-key-", _BASE64, 60),  # Amazon Bedrock
    ("api-token", "IQoJb3JpZ2lu FwoGZXIvYXdz FQoGZXIvYXdz", _BASE64, 60),  # session tokens of AWS
    ("api-token", "LTAI", _ALNUM, 16),  # Alibaba Cloud
    ("api-token", "AKID", _ALNUM, 32),  # Tencent Cloud
    ("api-token", "dop_v1_ doo_v1_ dor_v1_", _HEX, 32),  # DigitalOcean
    ("api-token", "HRKU-", _DASHED, 30),  # Heroku
    ("api-token", "nfp_ nfc_ nfo_ nfb_ nfu_", _ALNUM, 30),  # Netlify
    ("api-token", "fo1_ fm1_ fm2_ fm1r_ fm1a_ fm2r_ fm2a_", _BASE64, 40),  # Fly.io
    ("api-token", "rnd_", _ALNUM, 24),  # Render
    ("api-token", "tskey-auth- tskey-api- tskey-client- tskey-scim- tskey-webhook-", _DASHED, 16),  # Tailscale
    ("api-token", "cfut_ cfat_ cfk_", _DASHED, 32),  # Cloudflare
    ("api-token", "v1.0-", "0-9a-f-", 100),
    # Databases and data
    ("api-token", "pscale_tkn_ pscale_pw_ pscale_oauth_", _DOTTED, 24),  # PlanetScale
    ("api-token", "sbp_ sb_secret_", _DASHED, 20),  # Supabase
    ("api-token", "dapi dkea dose", _HEX, 32),  # Databricks
    ("api-token", "mdb_sa_sk_", _DASHED, 24),  # MongoDB Atlas
    ("api-token", "cflt", _BASE64, 56),  # Confluent
    ("api-token", "AVNS_", _DASHED, 16),  # Aiven
    ("api-token", "pnu_ pnb_", _ALNUM, 32),  # Prefect
    ("api-token", "dbtc_ dbtu_", _BASE64, 24),  # dbt
    # Source code (GitLab), packages, builds
    (
        "api-token",
        "glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glagent- gloas- glsoat- glimt- glffct- glwt- GR1348941",
        _DOTTED,
        15,
    ),
    ("api-token", "npm_", _ALNUM, 30),
    ("api-token", "pypi-", _DASHED, 50),
    ("api-token", "dckr_pat_ dckr_oat_", _DASHED, 16),  # Docker
    ("api-token", "rubygems_", _HEX, 40),
    ("api-token", "cio", _ALNUM, 32),  # crates.io
    ("api-token", "oy2", _LOWER, 43),  # NuGet
    ("api-token", "CLOJARS_", _LOWER, 50),
    ("api-token", "AKCp", _ALNUM, 60),  # Artifactory
    ("api-token", "cmVmdGtu", _ALNUM, 50),
    ("api-token", "ATATT3 ATCTT3", _DOTTED, 60),  # Atlassian
    ("api-token", "ATBB ATTA", _ALNUM, 24),  # Bitbucket, Trello
    ("api-token", "sqp_ squ_ sqa_", _HEX, 32),  # Sonar
    ("api-token", "CCIPAT_ CCIPRJ_", _WORD, 20),  # CircleCI
    ("api-token", "bkua_ bkpt_ bkcp_", _HEX, 32),  # Buildkite
    ("api-token", "pul-", _HEX, 40),  # Pulumi
    ("api-token", "PMAK-", _DASHED, 50),  # Postman
    ("api-token", "snyk_uat. snyk_sat.", _DOTTED, 24),
    # Secrets, identity, clusters
    ("api-token", "hvs. hvb. hvr.", _DASHED, 16),  # Vault
    ("api-token", "AGE-SECRET-KEY-1 AGE-SECRET-KEY-PQ-1", _UPPER, 40),
    ("api-token", "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", _DOTTED, 24),  # Doppler
    ("api-token", "ops_eyJ", _BASE64, 60),  # 1Password
    ("api-token", "A3-", "A-Z0-9-", 30),
    ("api-token", "SWMTKN-1-", "a-z0-9-", 40),  # Docker Swarm
    ("api-token", "kubeconfig-user- kubeconfig-u- token-", "a-z0-9:", 55),  # Rancher
    ("api-token", "K10", "a-z0-9:", 80),  # K3s
    # Monitoring and on-call
    ("api-token", "NRAK- NRAA- NRRA- NRJS- NRII- NRIQ- NRSP-", _DASHED, 16),  # New Relic
    ("api-token", "glsa_ glc_", _BASE64, 20),  # Grafana
    ("api-token", "eyJrIjoi", _BASE64, 40),
    ("api-token", "sntrys_ sntryu_ sntryi_", _BASE64, 32),  # Sentry
    ("api-token", "dt0c01. dt0s01. dt0s02. dt0s16.", "A-Z0-9.", 60),  # Dynatrace
    ("api-token", "hcaik_ hcbik_ hcxik_ hcalk_ hcxlk_ hcxmk_", _ALNUM, 32),  # Honeycomb
    ("api-token", "u+", _DASHED, 18),  # PagerDuty
    ("api-token", "phx_ phs_", _ALNUM, 32),  # PostHog
    ("api-token", "ddapp_ ddpat_", _WORD, 32),  # Datadog
    # Mail and messages
    ("api-token", "SG.", _DOTTED, 40),  # SendGrid
    ("api-token", "key-", _LOWER, 32),  # Mailgun
    ("api-token", "xkeysib- xsmtpsib-", _DASHED, 60),  # Brevo
    ("api-token", "mlsn.", _HEX, 40),  # MailerSend
    ("api-token", "syt_", _WORD, 30),  # Matrix
    # Models: OpenAI, Anthropic, OpenRouter, ...
    ("api-token", "sk-ant- sk-proj- sk-svcacct- sk-admin- sk-or-v1- sk-lf-", _DASHED, 20),
    ("api-token", "sk-", _ALNUM, 32),
    ("api-token", "hf_ api_org_", _ALNUM, 30),  # Hugging Face
    ("api-token", "gsk_", _ALNUM, 40),  # Groq
    ("api-token", "r8_", _ALNUM, 32),  # Replicate
    ("api-token", "xai- pplx- pcsk_", _WORD, 40),
    ("api-token", "lsv2_pt_ lsv2_sk_", _WORD, 32),  # LangSmith
    # Payment and shops
    ("api-token", "sk_live_ sk_test_ rk_live_ rk_test_", _ALNUM, 10),  # Stripe
    ("api-token", "whsec_", "A-Za-z0-9+/=_-", 20),
    ("api-token", "shpat_ shpca_ shppa_ shpss_ shpua_ shptka_", _HEX, 24),  # Shopify
    ("api-token", "sq0atp- sq0csp- sq0idp-", _DASHED, 20),  # Square
    ("api-token", "EAAA", _DASHED, 56),
    ("api-token", "EAAC", _ALNUM, 60),  # Facebook
    ("api-token", "EZAK EZTK", _ALNUM, 50),  # EasyPost
    ("api-token", "shippo_live_ shippo_test_", _HEX, 32),
    ("api-token", "access_token$production$ access_token$sandbox$", "A-Za-z0-9$", 40),  # Braintree
    ("api-token", "access-production- access-sandbox- access-development-", "0-9a-f-", 36),  # Plaid
    # Teams and documents; at the end Contentful, Typeform, ReadMe, Dropbox
    ("api-token", "lin_api_ lin_oauth_", _ALNUM, 32),  # Linear
    ("api-token", "ntn_", _ALNUM, 36),  # Notion
    ("api-token", "secret_", _ALNUM, 43),
    ("api-token", "figd_ figo_", _DASHED, 32),  # Figma
    ("api-token", "pat-na1- pat-eu1- pat-na2- pat-ap1-", "0-9a-f-", 36),  # HubSpot
    ("api-token", "PMAT- CFPAT- tfp_ rdme_ sl.B sl.u. xoauth2-", _DOTTED, 32),
)

#: Formats without a prefix of their own, or with one that is an ordinary word: how to find a candidate in linear time
#: (RE2 counts badly, so it finds whole runs), and what the candidate has to be.
_FORMS: tuple[tuple[str, str, str], ...] = (
    ("jwt", r"eyJ[\w-]+\.[\w-]+\.[\w.-]*", r"eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*(?:\.[\w-]+\.[\w-]+)?"),
    ("api-token", r"[0-9a-f]{8}[0-9a-f]+-[0-9a-f]+-[0-9a-f]+", r"[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}"),  # Mailgun
    ("api-token", r"[0-9a-f]{8}[0-9a-f]+-us[0-9]+", r"[0-9a-f]{32}-us[0-9]{1,2}"),  # Mailchimp
    ("api-token", r"[0-9a-z]{8}[0-9a-z]+NRAL", r"[0-9a-z]{36}NRAL"),  # New Relic
    ("api-token", r"SK[0-9a-f]+", r"SK[0-9a-f]{32}"),  # Twilio; the next is an account with its token
    ("api-token", r"AC[0-9a-f]+\W{1,6}[0-9a-f]+", r"AC[0-9a-f]{32}\W{1,6}[0-9a-f]{32}"),
    ("api-token", r"s\.[A-Za-z0-9]{8}[A-Za-z0-9]+", r"s\.[A-Za-z0-9]{24}"),  # Vault before 1.10
    ("api-token", r"[\w~-]{3}[78]Q~[\w~.-]+", r"[\w~-]{3}[78]Q~[\w~.-]{30,40}"),  # Microsoft Entra ID
    ("api-token", r"[A-Za-z0-9]{8}[A-Za-z0-9]+AZDO[A-Za-z0-9]+", r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}"),  # Azure DevOps
    (
        "api-token",
        r"[A-Za-z0-9+/]{8}[A-Za-z0-9+/]+==",
        r"(?<!sha512-)[A-Za-z0-9+/]{82,86}==",
    ),  # Azure: storage, Cosmos DB
    ("api-token", r"[0-9]+:AA[\w-]+", r"[0-9]{8,10}:AA[\w-]{32,35}"),  # Telegram
    ("api-token", r"[MNO][\w-]{8}[\w-]+\.[\w-]+\.[\w-]+", r"[MNO][\w-]{22,27}\.[\w-]{6}\.[\w-]{27,40}"),  # Discord
    ("api-token", r"[A-Za-z0-9]+\.atlasv1\.[\w-]+", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{40,}"),  # Terraform Cloud
    ("api-token", r"pat[A-Za-z0-9]+\.[0-9a-f]+", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),  # Airtable
    ("api-token", r"[sp]k\.eyJ[\w.-]+", r"[sp]k\.eyJ[\w-]{20,}\.[\w-]{10,}"),  # Mapbox
    ("api-token", r"[0-9]+/[0-9]+:[0-9a-f]+", r"[0-9]{1,2}/[0-9]{16}:[0-9a-f]{32}"),  # Asana
    (
        "api-token",  # vendors that are in no table, and name theirs as Stripe does
        r"[a-z]+_(?:live|test|prod|secret|pat|sk)_[A-Za-z0-9]+",
        r"[a-z]{2,12}_(?:live|test|prod|secret|pat|sk)_(?=[A-Za-z]*[0-9])[A-Za-z0-9]{20,}",
    ),
    # The base64 of a private key, of its PEM form, and of Docker's logins. Certificates and public keys are none.
    (
        "pem",
        r"LS0tLS1CRUdJTi[A-Za-z0-9+/]+=*",
        r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{0,40}(?:QUklWQVRF|BSSVZBVE|UFJJVkFUR)[A-Za-z0-9+/]*=*",
    ),
    ("pem", r"MI[A-Za-z0-9+/]+=*", r"MI[A-Za-z0-9+/]{2,6}(?:IBAAK|IBADANBgkqhkiG9w0BAQEFAASC)[A-Za-z0-9+/]{40,}=*"),
    (
        "secret",
        r"e(?:yJhdXRocyI6|wogICJhdXRo|woJImF1dGhz|wogICAgImF1dGhz)[A-Za-z0-9+/]+=*",
        r"e(?:yJhdXRocyI6|wogICJhdXRo|woJImF1dGhz|wogICAgImF1dGhz)[A-Za-z0-9+/]{20,}=*",
    ),
)

#: A prefix and the beginning of what follows it: without that, a text full of prefixes would cost a check for each.
_PREFIX = re2.compile(
    rf"(?:\b|_)(?:{'|'.join(re.escape(each) for _, prefixes, _, _ in _PREFIXES for each in prefixes.split())})"
    r"[\w+/=.$:-]{8}".encode()
)
_BODIES: Mapping[bytes, tuple[str, re.Pattern[bytes]]] = {
    prefix.encode(): (kind, re.compile(f"[{follow}]{{{least},}}".encode()))
    for kind, prefixes, follow, least in sorted(_PREFIXES, key=lambda each: -each[3])
    for prefix in prefixes.split()
}
_LENGTHS = sorted({len(prefix) for prefix in _BODIES}, reverse=True)
_FORM = re2.compile(rf"(?:\b|_)(?:{'|'.join(run for _, run, _ in _FORMS)})".encode())
_FORM_KINDS = tuple(kind for kind, _, _ in _FORMS)
_FORM_CHECK = re.compile("|".join(f"({form}$)" for _, _, form in _FORMS).encode())
#: Hashes of passwords as crypt(3) writes them.
_CRYPT = re2.compile(
    rb"(?:^|[:\s\"'=])\$(?:apr1|1|2[abxy]|5|6|7|y|argon2|scrypt|pbkdf2)[\w-]*\$[\w./+=,$-]{8}[\w./+=,$-]+"
)
#: The secret key that stands beside the id of an AWS key.
_BESIDE = re.compile(rb"[\s,:;/|\"']{1,8}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])")
_UNDERSCORE = ord("_")


def find_tokens(_text: str, plain: bytes) -> Iterator[tuple[int, int, str]]:
    """Start, end and type of each token in a text given in ASCII. The time is linear in its length."""
    end = 0
    while found := _PREFIX.search(plain, end):
        start, end = found.span()
        start += plain[start] == _UNDERSCORE
        prefix = next(plain[start : start + length] for length in _LENGTHS if plain[start : start + length] in _BODIES)
        kind, body = _BODIES[prefix]
        if whole := body.match(plain, start + len(prefix)):
            end = whole.end()
            if kind == "aws-key" and (beside := _BESIDE.match(plain, end)):
                end = beside.end()
            yield start, end, kind
    for found in _FORM.finditer(plain):
        start, end = found.span()
        start += plain[start] == _UNDERSCORE
        if whole := _FORM_CHECK.match(plain, start, end):
            yield start, end, _FORM_KINDS[(whole.lastindex or 1) - 1]
    if b"$" not in plain:
        return
    for found in _CRYPT.finditer(plain):
        start, end = found.span()
        yield plain.index(b"$", start), end, "secret"
