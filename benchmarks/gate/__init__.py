"""Whether a change made artifacts slower, larger or different: what can be told without ARM hardware."""
