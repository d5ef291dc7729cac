"""The pages of the console, which the tests of pages and those in a browser go through."""

#: Each page once; ``{incident}`` is the id of an open incident.
PAGES = (
    "/",
    "/incidents",
    "/incidents/{incident}",
    "/incidents/{incident}/silence",
    "/incidents/{incident}/why",
    "/incidents/{incident}/postmortem",
    "/messages",
    "/messages/1",
    "/rejects",
    "/rules",
    "/coverage",
    "/runbooks",
    "/runbooks/common-issues.md?incident={incident}",
    "/status",
)
#: Addresses that are no page of their own: files, redirects, downloads. Of the page after the sign-out, see the tests
#: of the sign-in.
NO_PAGES = frozenset(
    {"static", "tools.body", "sign_in.login", "sign_in.callback", "sign_in.password", "sign_in.signed_out"}
)
