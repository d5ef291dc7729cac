"""Slack as an entry point: buttons under a page, dialogs, and the command ``/responder``.

``payloads.py`` reads what Slack sends, ``views.py`` renders dialogs and answers, ``entry.py`` handles both. The signed
HTTP routes (``web/slack.py``) call it.
"""
