"""The fault suite: a known stream of alerts goes through a real pair of Alertmanagers under faults.

    driver --POST--> Alertmanager A, B --webhook--> Door --> replicas of `responder serve` --> PagerDuty, Slack
    (Prometheus)     (a real cluster)               (witness)   SQLite or PostgreSQL         (stand-ins)

A seed decides everything: the stream (``stream.py``) and the faults with their times (``schedule.py``). ``play.py``
plays one seed; ``catalog.py`` lists the faults, as a plain dict; ``verdict.py`` has the checks.

    make faults               the seeds 1 to 10
    make faults SEED=17       one seed, with its timeline
    make faults SEEDS=100     a hundred, and writes the table in docs/reliability.md
"""
