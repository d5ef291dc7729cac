"""The triage engine between Prometheus Alertmanager and the people on call.

The way an alert goes, and the folder each step lives in:

    Alertmanager --POST--> receive --> triage --> diagnose --> notify --> PagerDuty, Slack
                           body kept   incident    findings     courier sends what is due,
                           then 2xx    + page row  enrich it    in order, until accepted

Start reading at ``responder/engine/pipeline.py``: it shows the whole flow on one screen.
"""

__version__ = "0.2.0.dev0"
