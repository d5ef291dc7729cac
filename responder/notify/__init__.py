"""The fourth stage: compose a channel-neutral report, render it for a channel, and deliver it until it is accepted."""
