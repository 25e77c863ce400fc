"""Sites that leak nothing, each with one package more than Django brings."""
