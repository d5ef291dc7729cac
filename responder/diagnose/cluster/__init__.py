"""Investigation of a Kubernetes cluster: read a scene, find causes in it. Causes are pure functions of the scene."""
