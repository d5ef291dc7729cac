"""The fifth stage: what people do about an incident, from every entry point into one state of the incident."""
