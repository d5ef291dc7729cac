"""Steps of runbooks that are run: reads of the cluster, HTTP requests, and programs."""
