"""Measures a whole leap: leapfrog against a shell loop and an Ansible playbook of the same commands."""
