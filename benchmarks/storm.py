"""The load where there is no wrk: keep-alive clients, one request at a time each, and one line of JSON at the end."""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

PROCESSES = 2


def client(job: argparse.Namespace, number: int, until: float, answers: list[tuple[int, float]]) -> None:
    """``answers`` gets status and seconds of each request; status 0 is a connection that broke."""
    target = urlsplit(job.url)
    template = Path(job.body).read_bytes()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {job.token}"}
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=10)
    tag, count = f"{job.tag}{number:02}", 0
    first, pause = time.monotonic(), job.connections / job.rate if job.rate else 0.0
    while (began := time.monotonic()) < until and (not job.count or count < job.count):
        count += 1
        body = template.replace(b"@" * 10, f"{tag}{count:0{10 - len(tag)}}".encode())
        try:
            connection.request("POST", target.path, body, headers)
            reply = connection.getresponse()
            reply.read()
            status = reply.status
        except (OSError, http.client.HTTPException):
            connection.close()
            status = 0
        answers.append((status, time.monotonic() - began))
        if pause:
            time.sleep(max(0.0, first + count * pause - time.monotonic()))


def several(job: argparse.Namespace, process: int) -> list[tuple[int, float]]:
    answers: list[tuple[int, float]] = []
    until = time.monotonic() + job.seconds if not job.count else float("inf")
    numbers = range(process, job.connections, PROCESSES)
    threads = [threading.Thread(target=client, args=(job, number, until, answers)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--count", type=int, default=0, help="of each connection; 0 for as many as fit")
    parser.add_argument("--rate", type=float, default=0, help="requests a second of all together; 0 for no limit")
    for name in ("url", "token", "tag", "body"):
        parser.add_argument(name)
    job = parser.parse_args()
    began = time.monotonic()
    with multiprocessing.Pool(PROCESSES) as pool:
        found = [each for part in pool.starmap(several, [(job, n) for n in range(PROCESSES)]) for each in part]
    times = sorted(seconds for status, seconds in found if status) or [0.0]
    said = {
        "replies": sum(status > 0 for status, _ in found),
        "refused": sum(status >= 400 for status, _ in found),
        "broken": sum(status == 0 for status, _ in found),
        "seconds": time.monotonic() - began,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[int(len(times) * 0.99)] * 1000,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
