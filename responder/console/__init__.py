"""The console: pages for people and a read API, a process of its own over the same database."""
