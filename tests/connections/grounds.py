"""What the grounds of several kinds have in common."""

from contextlib import ExitStack, contextmanager

from st_auth.testing.connection_contract import ConnectionGround


class TokenGround(ConnectionGround):
    """A server that takes the tokens of an audience, until the provider gives everybody tokens for another."""

    def refuse(self):
        self.issuer.audience = "urn:somebody-else"
        for live in self.core.live.known():
            self.renew(live)


@contextmanager
def builder(ground):
    """`build(…)` makes a ground of a class, or by a function, and all are closed at the end."""
    with ExitStack() as closing:

        def build(*arguments, **more):
            made = ground(*arguments, **more)
            closing.callback(made.close)
            return made

        yield build
