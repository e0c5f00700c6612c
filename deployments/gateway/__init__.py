"""The gateway: one door for people, their programs and other people's clients, before the accounts."""
