"""Caption tokens as the official caption scores see them: Penn Treebank tokens, lower case, without punctuation.

The official script runs Stanford's PTBTokenizer (CoreNLP 3.4.1, `-preserveLines -lowerCase`) and drops a fixed list of
punctuation tokens. This is a rewrite in Python after the Penn Treebank's conventions and what that program was seen to
answer; it needs no Java. How far the two agree is measured in `tests/benchmarks/test_captions.py`.

Quirks kept because scores depend on them: brackets become `-lrb-` and stay (the list names them in upper case only), so
do `!!` and `??`; "child.Next" is one word; "50¢" becomes "50 cents"; a number keeps its sign behind a word ("x+1" is "x +1").
"""

from __future__ import annotations

import re

# pycocoevalcap `tokenizer/ptbtokenizer.py`: the tokens that the scores never see
PUNCTUATION = frozenset(
    ("''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";")
)
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
REWRITTEN = {"¢": "cents", "£": "#", "€": "$", "½": "1/2", "¼": "1/4", "¾": "3/4", "…": "..."}
FUSED = {
    "cannot": "can not", "gonna": "gon na", "gotta": "got ta", "wanna": "wan na", "lemme": "lem me", "gimme": "gim me",
    "'tis": "'t is", "'twas": "'t was",
}  # fmt: skip
# Words whose full stop stays on them wherever they stand; those of them that are so with a capital letter only; those before a
# number only; and those that take an initial's stop off when they follow it. Found by asking the program for 78,866 English words
# in each place, in small letters, with a capital, and in capitals ("sat." and "sun." end sentences; so does "MFG.").
_ABBREVIATIONS = """adj adm adv al ala alex apr ariz assn asst atty attys aug ave bancorp bhd bldg blvd brig bros calif capt cf
    cie cmdr co col colo comdr conn corp cos cpl ct dak dec dept det dr drs elec ens esq est etc ext feb fla fri ft ga gen gov
    govs hon inc ind insp intl invt jan jos jr jul jun kan kans ky lieut lt ltd maj mar md messrs mich minn mlle mme mo mon mont
    mr mrs ms msgr mt natl neb nev nov oct okla penn pfc ph ph.d plc prof profs pvt rep reps rev rt sen sens sep
    sept seq sfc sgt spc sq sr st ste supt supts sys tel tenn thu thurs treas tue tues univ va vs vt wed wis wisc wm wyo"""
_WITH_A_CAPITAL = "ark az del ill la mass miss ore pa tex wash"
_NOT_IN_CAPITALS = "mfg mtg pte pty ptys"
_BEFORE_NUMBERS = "art ca fig figs no nos op pp prop"
_STARTERS = """A About According Additionally After An As At But Earlier He Her Here However If In It Last Many More Mr. Ms. Now
    Once One Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You"""


def _any_of(words: str) -> str:
    return "|".join(map(re.escape, words.split()))


_CASED = _any_of(f"{_WITH_A_CAPITAL.title()} {_WITH_A_CAPITAL.upper()} {_NOT_IN_CAPITALS} {_NOT_IN_CAPITALS.title()}")

_LETTER = r"[^\W\d_½¼¾²³¹⁰-₉⅐-⅞]"
_LATIN = "(?-i:[A-Za-z])"  # letters whose full stop may be theirs: no others are initials
_PLAIN_WORD = rf"{_LETTER}(?:{_LETTER}|\d)*"
_ALNUM = rf"(?:{_LETTER}|\d)+"
_WORD = rf"{_PLAIN_WORD}(?:[.!?]{_PLAIN_WORD})*"
_AUXILIARY = rf"(?:[smd]|re|ve|ll)(?!{_LETTER})"  # what stands apart behind an apostrophe
_RULES = rf"""
    (?P<most>[a-z]++(?=\ ))
  | (?P<url>https?://[^\s"<>|()]+[^\s"<>|.!?(){{}},-]|www\.[^\s"<>|()]+[^\s"<>|().,!?])
  | (?P<tag></?[a-z][^<>\s]*>)
  | (?P<smiley>[<>]?[:;=][-o*']?[()DP\\{{@|\[\]](?![A-Za-z]))
  | (?P<run>\*\*+|\#\#+|__+|@@+|<<|>>)
  | (?P<language>(?<!\w)(?:c\+\+|[cf]\#)(?!\w))
  | (?P<mixture>\d+\ \d+/\d+\b)
  | (?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
  | (?P<handle>[@\#]{_LETTER}[\w]*)
  | (?P<apostrophe>o'(?:clock|er)\b|ma'am\b|'n'|'em\b|'cause\b|'t(?:is|was)\b|ol'(?!\w)|c'mon\b|y'(?={_LETTER})(?!{_AUXILIARY})
      |(?<!\w)'\d0s\b|(?<!\w)'\d\d\b
      |d'ye\b|(?:[dlo]|(?-i:[A-HJ-XZn]))'(?!{_AUXILIARY}){_LETTER}{{2,}}|[dlj]'(?={_LETTER})(?!{_AUXILIARY})
      |(?={_LETTER}++'){_LETTER}+[aeiouy]'(?!{_AUXILIARY})(?-i:[aeiouA-Z]){_LETTER}*)
  | (?P<suffix>'(?:s|m|d|re|ve|ll|n)(?!{_ALNUM})|n't(?!{_ALNUM}))
  | (?P<joined>[A-Za-z0-9]++[.,][A-Za-z0-9.,]{{0,80}}+(?:-[A-Za-z0-9]++)++)
  | (?P<acronym>{_LATIN}(?:\.{_LATIN})+\.?(?![\w])|(?:ph|{_LATIN})\.{_LATIN}\.(?!\w))
  | (?P<abbreviation>(?=\w++\.)(?:{_any_of(_ABBREVIATIONS)}|(?-i:{_CASED}))\.(?![\w])|(?:{_any_of(_BEFORE_NUMBERS)})\.(?=\s?\d))
  | (?P<initial>(?<![\w.'&/-]){_LATIN}\.(?!\w)(?!(?-i:\s+(?:{_any_of(f"{_STARTERS} {_STARTERS.upper()}")})(?:\s|\Z))))
  | (?P<entity>&[a-z]{{2,8}};)
  | (?P<bracket>-(?:[lr][rsc]b)-)
  | (?P<ended>(?:(?:{_WORD}|\d+)(?:-(?:{_WORD}|\d+))*|\d+{_LETTER}+)\.(?=[,;:]))
  | (?P<compound>(?:{_PLAIN_WORD}(?:(?:[.]{_PLAIN_WORD})+(?=-))?|\d+)(?:[-_](?:{_PLAIN_WORD}|\d{_LETTER}*|\d)+)+
      (?:/\w+(?:[-_]\w+)*)*)
  | (?P<slashed>\d+(?:/\d+)+(?!\w)|\d+(?:-\d+)+|{_ALNUM}(?:/{_ALNUM})+(?:-{_PLAIN_WORD})*)
  | (?P<time>\d{{1,2}}:\d\d)
  | (?P<mixed>\d+{_LETTER}(?:{_LETTER}|\d)*(?:[-_]\w+)*)
  | (?P<number>[-+]?(?:\d+(?:[.,:]\d+)*|[.,]\d+(?:[.,]\d+)*))
  | (?P<firm>(?-i:[A-Z]+(?:&[A-Z]+)+))
  | (?P<fused>(?:cannot|gonna|gotta|wanna|lemme|gimme)\b)
  | (?P<negated>{_LETTER}+?(?=n't))
  | (?P<word>{_WORD})
  | (?P<dots>\.\.+) | (?P<dashes>--+) | (?P<marks>[!?]+)
  | (?P<other>\S)
"""
_TOKEN = re.compile(_RULES, re.VERBOSE | re.IGNORECASE)
# characters that the program leaves out: emoji and all else beyond the first plane, marks that only say how to draw, guillemets
_LEFT_OUT = re.compile(
    "[\U00010000-\U0010ffff\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff«»‹›\u3008-\u301b\u20a1-\u20ab\u20ad-\u20e4]"
)
_PLAIN = str.maketrans({"\u00ad": None, "’": "'", "‘": "`", "“": '"', "”": '"', "–": "--", "—": "--", "\u00a0": " "})


NEAR = 40  # characters of the next line; its first word is what matters
_ENTITIES = {"&amp;": "&", "&quot;": '"', "&apos;": "'", "&lt;": "<", "&gt;": ">", "&nbsp;": " "}
_ENTITY = re.compile("&(?:[Aa]mp|AMP|quot|apos|lt|gt|nbsp);")


def tokens(text: str, following: str = "") -> list[str]:
    """The tokens of one caption that the scores compare; line breaks count as spaces. The official script hands all captions to
    the program at once, a line each, and whether a full stop at a line's end belongs to an initial ("plan B.") hangs on what the
    next line begins with: `following`."""
    plain = _plain(text)
    whole = f"{plain}\n{_plain(following[:NEAR])}" if following else plain
    return [token for token in _treebank(whole, len(plain)) if token not in PUNCTUATION]


def _plain(text: str) -> str:
    text = _ENTITY.sub(lambda match: _ENTITIES[match[0].lower()], text)
    return _LEFT_OUT.sub(" ", text.translate(_PLAIN))


def _treebank(text: str, end: int) -> list[str]:
    """The tokens that begin before `end`."""
    found: list[str] = []
    position = 0
    while (match := _TOKEN.search(text, position)) and match.start() < end:
        token, position = match[0], match.end()
        low = token.lower()
        if low in FUSED:
            found += FUSED[low].split()
        elif match.lastgroup == "mixture":
            found.append(token.replace(" ", "\u00a0"))
        elif match.lastgroup == "dots":
            found += ["..."] if len(token) > 2 else [".", "."]
        elif match.lastgroup == "dashes":
            found.append("--" if len(token) < 5 else token)
        elif match.lastgroup == "smiley":
            found.append("".join(BRACKETS.get(one, one.lower()) for one in token))
        else:
            found.append(BRACKETS.get(token) or REWRITTEN.get(token) or ("''" if token == '"' else low))
    return found
