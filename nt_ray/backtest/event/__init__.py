"""The event simulator: every order type, many instruments, one cash account, exact to the last quantum."""
