"""The folders that sequencers and their software leave: what is in them, from which run."""
