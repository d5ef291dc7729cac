"""PagerDuty as an entry point: its webhooks become actions on the incidents of responder.

``events.py`` reads a webhook, ``entry.py`` finds the incidents and stores the actions, ``api.py`` asks PagerDuty which
alerts its incident has.
"""
