"""Regular expressions of hba and ident files match what PostgreSQL's do, and the first parentheses as much.

PostgreSQL matches them byte by byte (SQL_ASCII, collation C) while it authenticates; the subjects here are
ASCII, for which regexp_match with that collation is the same.
"""

import random
import re

from harness import auth_files

# What pgring refuses, each with its reason in the answer; of a comment without its end PostgreSQL drops the rest.
REFUSED = re.compile(r"back-reference|option \(\?[bex]\)|too large|more than 16|beyond one byte|collating element|the comment")

BY_HAND = [
    (r"^(.*)@example\.com$", "bob@example.com"),
    (r"^(.*)@example\.com$", "bob@example.org"),
    (r"^(a|ab)(c|bcd)(d*)$", "abcd"),
    (r"(a|ab)(c|bcd)(d*)", "abcd"),
    (r"(.*?)-", "a-b-c"),
    (r"(.*)-", "a-b-c"),
    (r".*?(b*)", "aabb"),
    (r"x*(x*)", "xxx"),
    (r"x*?(x*)", "xxx"),
    (r"a?(?:ab)?(b?)", "ab"),
    (r"^(?:DOM-)?(.+)$", "DOM-bob"),
    (r"^(?:(a+)@x|(b+)@y)$", "bb@y"),
    (r"^(?:(a+)@x|(b+)@y)$", "aa@x"),
    (r"^(?!postgres$)", "postgres"),
    (r"^(?!postgres$)", "postgres2"),
    (r"(?<=_)ro$", "app_ro"),
    (r"(?<!_)ro$", "app_ro"),
    (r"(?i)^BOB$", "bob"),
    (r"(?i)^[a-c]+$", "ABC"),
    (r"***=a.b", "a.b"),
    (r"***=a.b", "axb"),
    (r"***:^db\d{2,4}$", "db123"),
    (r"^db\d{2,4}$", "db12345"),
    (r"\mdb\M", "my db"),
    (r"[[:<:]]app[[:>:]]", "my app"),
    (r"\yapp\Y", "apple"),
    (r"\Aapp\Z", "app"),
    (r"^[^[:digit:]]+$", "abc1"),
    (r"^[]a-]+$", "a]-"),
    (r"^[\w-]+$", "a_b-1"),
    (r"^[\W]+$", "-- "),
    (r"\x41\101\u0041", "AAA"),
    (r"a{2}{3}", "aaaaaa"),
    (r"a**", "a"),
    (r"^*", "a"),
    (r"(*a)", "a"),
    (r"a|*b", "a"),
    (r"a{1", "a"),
    (r"a{2,1}", "a"),
    (r"a{256}", "a"),
    (r"a{,3}", "a{,3}"),
    (r"(a", "a"),
    (r"a)", "a"),
    (r"[a", "a"),
    (r"[b-a]", "a"),
    (r"[a-c-e]", "a"),
    (r"[[:alfa:]]", "a"),
    (r"[[=a=]b]+", "ab"),
    (r"[[.-.]a]+", "a-"),
    (r"[a\]b]+", "a]b"),
    (r"\q", "q"),
    ("a\\", "a"),
    (r"()", ""),
    (r"a||b", "b"),
    (r"(|a)b", "ab"),
    (r"(?:)x", "x"),
    (r"(?#note)a(b)", "ab"),
    (r"(?x)a b", "ab"),
    (r"(?z)a", "a"),
    (r"a(?i)b", "ab"),
    (r"(a)\1", "aa"),
    (r"{a", "{a"),
    (r"a]b}", "a]b}"),
    (r"(?=a)*", "a"),
    (r"$*", "a"),
    (r"(?n)^b$", "b"),
    (r"(?i)^[[:upper:]]+$", "ab"),
    (r"(?i)[^a]", "A"),
    (r"(?i)^\x61$", "A"),
    (r"(?c)^a$", "A"),
    (r"(?q)a.b", "axb"),
    (r"(?iq)a.B", "A.b"),
    (r"(?n)^[^a]$", "b"),
    (r"[\Da]+$", "1b"),
    (r"^[^\d]+$", "ab"),
    (r"\cA", "a"),
    (r"\e\a\b", "a"),
    (r"\08", "8"),
    (r"\8", "8"),
    (r"\400", " 0"),
    (r"[a-]", "-"),
    (r"[--0]+", "-./0"),
    (r"[a-[:digit:]]", "a"),
    (r"[[:digit:]-a]", "a"),
    (r"[\w-a]", "a"),
    (r"x{0}(a)", "a"),
    (r"(?:a|(b))c", "bc"),
    (r"(?<=a(?=b))b", "ab"),
    (r"(?<!a(?!b))b", "ab"),
    (r"***?a", "a"),
    (r"***", "a"),
    (r"(?", "a"),
    (r"(?<a)", "a"),
    (r"(?#", "a"),
    (r"[[:<:]", "a"),
    (r"[[.a]", "a"),
    (r"[[=ab=]]", "a"),
]

ATOMS = ["a", "a", "b", "b", "c", ".", "[ab]", "[^a]", "[a-c]", r"\d", r"\w", "-", "1", "@", "[[:alpha:]]"]
CONDITIONS = ["^", "$", r"\m", r"\M", r"\y", r"\Y", "(?=b)", "(?!a)", "(?<=a)", "(?<!b)", "(?=a*c)", "(?!.*@)",
              "(?=(?!a)b|c)", "[[:<:]]"]
QUANTIFIERS = ["", "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,1}?", "{1,}", "{0}", "{2}?"]
WILD = list(r"ab1@()[]{}|*+?^$\.-,:=!<>#dwsmMyYAZxi&")


def expression(dice, depth=0):
    """A well-formed one, mostly."""
    branches = []
    for _ in range(1 if dice.random() < 0.75 else 2):
        parts = []
        for _ in range(dice.randrange(1, 5)):
            kind = dice.random()
            if kind < 0.12:
                parts.append(dice.choice(CONDITIONS))
            elif kind < 0.5 and depth < 3:
                opening = dice.choice(["(", "(", "(?:"])
                quantifier = dice.choice(QUANTIFIERS) if dice.random() < 0.4 else ""
                parts.append(opening + expression(dice, depth + 1) + ")" + quantifier)
            else:
                parts.append(dice.choice(ATOMS) + dice.choice(QUANTIFIERS))
        branches.append("".join(parts))
    return "|".join(branches)


def pairs():
    dice = random.Random(5)
    yield from BY_HAND
    for _ in range(4000):
        pattern = expression(dice)
        for _ in range(3):
            yield pattern, "".join(dice.choice("aaabbbc1@- ") for _ in range(dice.randrange(0, 9)))
    for _ in range(3000):
        yield ("".join(dice.choice(WILD) for _ in range(dice.randrange(1, 9))),
               "".join(dice.choice("ab1@") for _ in range(dice.randrange(0, 5))))


FUNCTION = """
create function pg_temp.answer(subject text, pattern text) returns text language plpgsql as $$
declare found text[];
begin
    found := regexp_match(subject collate "C", pattern collate "C");
    return case when found is null then 'no' else 'yes ' || coalesce('[' || found[1] || ']', 'none') end;
exception when others then return 'error: ' || sqlerrm;
end $$
"""


def test_regular_expressions_match_what_postgresql_does(postgres):
    asked = list(pairs())
    accepted, ours = auth_files.run("regex", stdin="".join(f"{p}\n{s}\n" for p, s in asked))
    assert accepted and len(ours) == len(asked)
    postgres.admin.execute(FUNCTION)
    theirs = [row[0] for row in postgres.admin.execute(
        "select pg_temp.answer(subject, pattern) from unnest(%s::text[], %s::text[])"
        " with ordinality as t(pattern, subject, place) order by place",
        ([p for p, _ in asked], [s for _, s in asked])).fetchall()]
    compared = 0
    wrong = []
    for (pattern, subject), our, their in zip(asked, ours, theirs):
        if our.startswith("error: ") and REFUSED.search(our):
            continue
        compared += 1
        if our == "yes":  # no parentheses, or repeated ones, of which pgring does not take the text
            same = their.startswith("yes ")
        elif our.startswith("error: "):
            same = their.startswith("error: invalid regular expression")
        else:
            same = our == their
        if not same:
            wrong.append(f"{pattern!r} on {subject!r}: pgring {our}, PostgreSQL {their}")
    postgres.admin.execute("drop function pg_temp.answer")
    assert not wrong, f"{len(wrong)} of {compared}:\n" + "\n".join(wrong[:40])
    assert compared > 14000
    assert sum(their.startswith("yes [") for their in theirs) > 2000
