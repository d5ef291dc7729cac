"""The triage engine between Prometheus Alertmanager and the people on call.

The path of an alert, by folder:

    Alertmanager --POST--> receive --> triage --> diagnose --> notify --> PagerDuty, Slack
                           payload     incident    findings     outbox: retried, in order,
                           committed   + page row  improve it   rate-limited, with fallback

Start reading at ``responder/engine/pipeline.py``: it shows the whole flow on one screen.
"""

__version__ = "0.2.0"
