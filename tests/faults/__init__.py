"""The fault suite: a known stream of alerts goes through a real pair of Alertmanagers while things break.

    driver --POST--> Alertmanager A, B --webhook--> Door --> replicas of `responder serve` --> PagerDuty, Slack
    (Prometheus)     (a real cluster)               (witness)   SQLite or PostgreSQL         (stand-ins)

A seed decides everything: the stream (``stream.py``) and the faults with their times (``schedule.py``). ``play.py``
tells how one seed is played; ``catalogue.py`` is what can break, a plain dict; ``verdict.py`` is what must hold.

    make faults               the seeds 1 to 10
    make faults SEED=17       one seed, with its timeline
    make faults SEEDS=100     a hundred, and the table in docs/reliability.md is written anew
"""
