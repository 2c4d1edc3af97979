"""Kills at random moments of a real leap, and the proof that its end is that of an undisturbed one."""
