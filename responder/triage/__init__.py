"""The second step: rules x alerts x what we know of the incident x now -> a decision with its reason. All pure."""
