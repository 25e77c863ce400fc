"""Sites of releases that leak, each used as its documentation says."""
