"""Every place in the code that judges where a refusal begins, read from the source; and which of them an error came from."""

import ast
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import st_auth
from st_auth.errors import StAuthError

PACKAGE = Path(st_auth.__file__).parent
JUDGES = (
    *("oauth/authorization.py", "oauth/client_auth.py", "oauth/id_token.py", "oauth/jwks.py", "oauth/logout_token.py", "oauth/metadata.py"),
    *("oauth/pushed.py", "oauth/strict_json.py", "oauth/tokens.py", "client.py", "http.py"),
    *("oauth/dialect.py", "oauth/exchange.py", "oauth/plain.py", "oauth/tenants.py"),
)
NOT_REACHED = {
    ("oauth/jwks.py", "_require_sound_modulus"): "its ValueError becomes None in `_verify`, and a refusal for the signature",
    ("client.py", "refresh"): "asks without a refresh token: a mistake of the caller, not an answer",
    ("client.py", "_require_provable"): "asks a provider without OpenID for what it cannot prove: a mistake of the caller, not an answer",
}
_MAKERS = {"LoginRefused", "ProviderError", "Unavailable", "refusal"}


@dataclass(frozen=True, slots=True)
class Branch:
    """A `raise`, by file, function and line; for one that raises what a helper chose, also the words of the choice."""

    file: str
    function: str
    line: int
    choice: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}{f' ({self.choice})' if self.choice else ''}"


def every_branch() -> list[Branch]:
    """Return the branches of all judges that a provider's answer can reach."""
    found = [branch for file in JUDGES for branch in branches_in(file)]
    return [branch for branch in found if (branch.file, branch.function) not in NOT_REACHED]


def branches_in(file: str) -> list[Branch]:
    tree = ast.parse((PACKAGE / file).read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    choices = {f.name: _choices(f) for f in functions}
    found = []
    for function in functions:
        for node in _own_nodes(function):
            if not isinstance(node, ast.Raise) or node.exc is None:
                continue
            maker = node.exc.func.id if isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name) else ""
            several = choices.get(maker, [])
            words = several if len(several) > 1 else [""]
            found += [Branch(file, function.name, node.lineno, word) for word in words]
    return found


def _own_nodes(function: ast.FunctionDef) -> list[ast.AST]:
    inner = {id(n) for f in ast.walk(function) if isinstance(f, ast.FunctionDef) and f is not function for n in ast.walk(f)}
    return [node for node in ast.walk(function) if id(node) not in inner]


def _choices(function: ast.FunctionDef) -> list[str]:
    """The kinds of error that a helper chooses from: those it returns."""
    returned = [node.value for node in _own_nodes(function) if isinstance(node, ast.Return) and isinstance(node.value, ast.Call)]
    names = [call.func.id for call in returned if isinstance(call.func, ast.Name)]
    return sorted({{"refusal": "ProviderError"}.get(name, name) for name in names if name in _MAKERS})


_JUDGE_OF = {str(PACKAGE / file): file for file in JUDGES}
_KNOWN = frozenset(every_branch())
_CHOOSING = {(branch.file, branch.line) for branch in _KNOWN if branch.choice}


def branches_of(error: StAuthError) -> list[Branch]:
    """Return the branches that an error passed: where it was raised, and where what it stands for was, if that was raised here too."""
    first = _raised_at(error, error.__traceback__)
    found = [first] if first else []
    cause = error.__context__
    while cause is not None:
        if (branch := _raised_at(cause, cause.__traceback__)) in _KNOWN:
            found.append(branch)
        cause = cause.__context__
    return found


def _raised_at(error: BaseException, traceback: TracebackType | None) -> Branch | None:
    last = None
    while traceback is not None:
        code, line = traceback.tb_frame.f_code, traceback.tb_lineno
        if file := _JUDGE_OF.get(code.co_filename):
            last = Branch(file, code.co_name, line, type(error).__name__ if (file, line) in _CHOOSING else "")
        traceback = traceback.tb_next
    return last
