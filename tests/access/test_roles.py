import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.access.roles import GRANTS, ForbiddenError, Owned, Principal, Role, Scope

# Written out a second time, row by row, as a person would read it: reader, user, service, admin.
MATRIX = {
    "trading:read": "yes yes yes yes",
    "trading:write": "no yes yes yes",
    "risk:read": "yes yes yes yes",
    "strategies:read": "yes yes yes yes",
    "strategies:write": "no yes yes yes",
    "jobs:read": "yes yes yes yes",
    "jobs:write": "no yes yes yes",
    "models:read": "yes yes yes yes",
    "models:write": "no no yes yes",
    "swarms:read": "yes yes yes yes",
    "swarms:write": "no yes yes yes",
    "runs:read": "yes yes yes yes",
    "journal:read": "no yes yes yes",
    "config:read": "no no no yes",
    "system:read": "yes yes yes yes",
    "kill:write": "no no no yes",
    "access:admin": "no no no yes",
    "audit:read": "no no no yes",
}
ORDER = (Role.READ_ONLY, Role.USER, Role.SERVICE, Role.ADMIN)


@pytest.mark.parametrize("scope", Scope)
def test_each_role_may_what_the_matrix_says_and_nothing_else(scope: Scope) -> None:
    may = ["yes" if Principal(id="x", role=role, credential="k").may(scope) else "no" for role in ORDER]
    assert " ".join(may) == MATRIX[scope]


def test_every_role_has_a_row_and_the_table_cannot_be_changed() -> None:
    assert set(GRANTS) == set(Role)
    with pytest.raises(TypeError):
        GRANTS[Role.READ_ONLY] = frozenset(Scope)  # type: ignore[index]


SCOPES = st.none() | st.frozensets(st.sampled_from(Scope))
ACCOUNTS = st.none() | st.frozensets(st.sampled_from("abc"))


@given(st.sampled_from(Role), SCOPES, ACCOUNTS, st.sampled_from(Scope), st.none() | st.sampled_from("abcd"))
def test_a_credential_only_ever_narrows_what_its_role_grants(
    role: Role, scopes: frozenset[Scope] | None, accounts: frozenset[str] | None, asked: Scope, where: str | None
) -> None:
    principal = Principal(id="x", role=role, credential="k", scopes=scopes, accounts=accounts)
    allowed = MATRIX[asked].split()[ORDER.index(role)] == "yes"
    allowed &= scopes is None or asked in scopes
    allowed &= where is None or accounts is None or where in accounts
    assert principal.may(asked, where) is allowed
    if allowed:
        principal.require(asked, where)
    else:
        with pytest.raises(ForbiddenError, match=asked):
            principal.require(asked, where)


OTHERS = {"jobs": "no no no yes", "runs": "no no no yes"}
"""Who reaches what is somebody else's, as a person would read it."""


@pytest.mark.parametrize("what", Owned)
def test_what_somebody_made_is_there_for_him_and_for_roles_that_reach_what_is_others(what: Owned) -> None:
    everybody = [Principal(id="ann", role=role, credential="k", scopes=frozenset()) for role in ORDER]
    assert " ".join("yes" if who.reaches(what, "bob") else "no" for who in everybody) == OTHERS[what]
    assert " ".join("no" if who.only(what) == "ann" else "yes" for who in everybody) == OTHERS[what]
    assert all(who.reaches(what, "bob", "ann") for who in everybody)
    # What bears no name is nobody's, and is not shown to whoever has none of his own to match.
    assert [who.reaches(what, "") for who in everybody] == [who.only(what) is None for who in everybody]
