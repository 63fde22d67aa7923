"""What our pages say, for people who know dashboards and not OAuth. Only words: no markup and no decisions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

__all__ = ["ENDINGS", "PROBLEMS", "Ending", "ProblemText", "ending", "problem"]


@dataclass(frozen=True, slots=True)
class ProblemText:
    """What went wrong: the HTTP status, a heading, one sentence, and what the person can do."""

    status: int
    heading: str
    sentence: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a login is over. `sentence` may hold `{detail}`; `vague` is said when there is no detail."""

    heading: str
    sentence: str
    vague: str = ""
    icon: str = "door"


def problem(code: str, **words: str) -> ProblemText:
    """Return the text for an error code; an unknown code gets the text of `internal`.

    `words` are put where the text asks for them: `address` (the app's public address), `provider` (its name), `reason` (a whole
    sentence that says which check refused the person) and `mend` (a whole sentence that says what to change). What is missing or
    empty gets a general word.
    """
    text = PROBLEMS.get(code, PROBLEMS["internal"])
    known = {**_GENERAL, **{name: word for name, word in words.items() if word}}
    return replace(text, sentence=text.sentence.format_map(known), what_to_do=text.what_to_do.format_map(known))


def ending(why: str, detail: str = "") -> Ending:
    """Return the text for the end of a login; an unknown `why` gets the general one. `detail` is a span such as "4 hours"."""
    found = ENDINGS.get(why, _ENDED)
    return replace(found, sentence=found.sentence.format(detail=detail) if detail or not found.vague else found.vague)


_GENERAL: Mapping[str, str] = MappingProxyType(
    {
        "address": "the address that your team gave you",
        "provider": "your company's login",
        "mend": "Tell the team that runs this app: its log says what the login asks for.",
        "reason": "Your account is not on the list of people who may use it.",
    }
)

_ENDED = Ending("You are no longer logged in", "Your login has ended.")

ENDINGS: Mapping[str, Ending] = MappingProxyType(
    {
        "logout": Ending("You are logged out", "See you next time. Your other tabs of this app are logged out too.", icon="check"),
        "idle": Ending(
            "You were logged out",
            "You were away for {detail}, so we logged you out.",
            "You were away for a while, so we logged you out.",
            icon="clock",
        ),
        "absolute": Ending(
            "Time to log in again",
            "A login lasts {detail} here, and yours is over.",
            "A login lasts only so long here, and yours is over.",
            icon="clock",
        ),
        "ended": Ending("Your login was ended", "It was ended in another place: by your company's login, by an administrator, or by you."),
        "grant_expired": Ending(
            "Time to log in again", "Your company's login does not renew this login any more. That happens after a while.", icon="clock"
        ),
        "not_allowed": Ending("You may not use this app any more", "Your account has changed, and it is no longer among those that may."),
        "replaced": Ending("You logged in again", "A newer login in this browser took the place of this one."),
        "renewed": Ending("You logged in again", "A newer login in this browser took the place of this one."),
        "too_many": Ending(
            "You are logged in elsewhere", "You logged in on more browsers than this app allows, so we ended the login that was oldest."
        ),
        "held": Ending("One moment", "We cannot check your login right now. Nothing is lost; please try again in a minute.", icon="clock"),
        "no_session": Ending("You are not logged in", "Please log in to see this page."),
        "refused": Ending(
            "You have no access now", "This app no longer lets your account in. Ask the team that runs it if that is a mistake."
        ),
    }
)

PROBLEMS: Mapping[str, ProblemText] = MappingProxyType(
    {
        "access_denied": ProblemText(
            403,
            "You were not logged in",
            "The login was cancelled, or {provider} did not agree to it.",
            "Try again. If it stays like this, ask the team that runs this app whether you have been given access.",
        ),
        "not_allowed": ProblemText(
            403,
            "This account has no access",
            "You logged in, but this app is not open to your account. {reason}",
            "Log in with another account, or ask the team that runs this app to let you in.",
        ),
        "response_mismatch": ProblemText(
            400,
            "That login did not fit",
            "The answer that came back does not belong to a login that you started here, so we did not use it.",
            "Start again from this page. Open the app from its own address and not from a link that somebody sent you.",
        ),
        "other_login": ProblemText(
            403,
            "This form is not for this login",
            "The page that asked for it belongs to another login, or to one that has ended.",
            "Go back to the app and use the button there.",
        ),
        "cookie_missing": ProblemText(
            400,
            "Your browser did not keep our cookie",
            "You logged in, but we could not tell that it was this browser that asked.",
            "Allow cookies for this site, open {address} in a normal window, and log in from start to end in the same browser.",
        ),
        "logout_mismatch": ProblemText(
            400,
            "That logout did not fit",
            "The address does not name a login that was made at this app's provider, so nothing was ended.",
            "To log out, use the app's own button.",
        ),
        "expired": ProblemText(
            400, "That took too long", "A login has to be finished within ten minutes, and this one was not.", "Start again; it is quick."
        ),
        "other_person": ProblemText(
            403,
            "That was another account",
            "You are logged in to the app with another account than the one that you have just used.",
            "Try again with the account that you use the app with. You are still logged in.",
        ),
        "already_used": ProblemText(
            400,
            "This login was already finished",
            "The page that you came from works only once, and it has been used.",
            "Open the app. If you are not logged in there, log in again.",
        ),
        "provider_unavailable": ProblemText(
            503,
            "The login is not answering",
            "We could not reach {provider}. Nothing is wrong with your account.",
            "Wait a minute and try again. People who are already logged in can go on working.",
        ),
        "store_unavailable": ProblemText(
            503,
            "We cannot log anybody in right now",
            "The place where this app keeps its logins is not answering.",
            "Wait a minute and try again. If it stays like this, tell the team that runs this app.",
        ),
        "busy": ProblemText(
            503,
            "Many people are logging in",
            "There are more logins at this moment than we can handle.",
            "Wait a few seconds and try again.",
        ),
        "too_many_logins": ProblemText(
            429,
            "Too many logins from here",
            "From your network more logins were begun in the last minute than this app takes, and did not come to an end.",
            "Wait a minute and try again. People who are already logged in can go on working.",
        ),
        "wrong_host": ProblemText(
            421, "This app has another address", "You reached it by an address that is not its own.", "Open {address} instead."
        ),
        "not_found": ProblemText(404, "There is nothing here", "This address does not lead to a page.", "Go back to the app."),
        "method_not_allowed": ProblemText(
            405, "That does not work here", "This address does not take what your browser sent.", "Go back to the app and start from there."
        ),
        "dev_not_local": ProblemText(
            403,
            "Only on the developer's own computer",
            "This app uses the development login, where anybody can be anybody. It answers only on the computer that it runs on.",
            "If you run this app: set up your company's login before you share it.",
        ),
        "config": ProblemText(
            500,
            "The login is not set up",
            "Something is missing in this app's settings, so nobody can log in yet.",
            "If you run this app: the log says which setting it is and how to mend it.",
        ),
        "protocol_violation": ProblemText(
            502,
            "The login gave a wrong answer",
            "We could not check what {provider} sent, so we did not log you in.",
            "Try again. If it stays like this, tell the team that runs this app.",
        ),
        "request_refused": ProblemText(
            502,
            "The login is not set up right",
            "{provider} refused the way in which this app asks for a login. Nothing is wrong with your account.",
            "If you run this app: {mend}",
        ),
        "internal": ProblemText(
            500,
            "Something went wrong",
            "That is our mistake and not yours. The details are in the app's log.",
            "Try again. If it stays like this, tell the team that runs this app.",
        ),
    }
)
