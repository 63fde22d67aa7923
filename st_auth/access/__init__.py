"""Who may do what: who may log in now, roles, permissions and rules later."""
