"""Caption tokens as the official caption scores see them: Penn Treebank tokens, lower case, without punctuation.

The official script runs Stanford's PTBTokenizer (CoreNLP 3.4.1, `-preserveLines -lowerCase`) and drops a fixed list of
punctuation tokens. This is a rewrite in Python after the Penn Treebank's conventions and what that program was seen to
answer; it needs no Java. How far the two agree is measured in `tests/benchmarks/test_captions.py`.

Quirks kept because scores depend on them: brackets become `-lrb-` and stay (the list names them in upper case only), so
do `!!` and `??`; "child.Next" is one word; "50¢" becomes "50 cents"; a lone number after a quote mark keeps its sign.
"""

from __future__ import annotations

import re

# pycocoevalcap `tokenizer/ptbtokenizer.py`: the tokens that the scores never see
PUNCTUATION = frozenset(
    ("''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";")
)
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
REWRITTEN = {"¢": "cents", "£": "#", "€": "$", "½": "1/2", "¼": "1/4", "¾": "3/4"}
FUSED = {
    "cannot": "can not", "gonna": "gon na", "gotta": "got ta", "wanna": "wan na", "lemme": "lem me", "gimme": "gim me",
    "'tis": "'t is", "'twas": "'t was",
}  # fmt: skip
_ABBREVIATIONS = (
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri sat sun mr mrs ms miss drs dr prof "
    "st ave blvd rd co corp inc ltd jr sr bros etc vs fig ft mt gen col sgt capt lt gov sen rep rev pres ph ph.d est al"
)
_LETTER = r"[^\W\d_½¼¾²³¹⁰-₉⅐-⅞]"
_WORD = rf"{_LETTER}(?:{_LETTER}|\d)*(?:[.!?]{_LETTER}(?:{_LETTER}|\d)*)*"
_RULES = rf"""
    (?P<url>https?://[^\s"<>|()]+|www\.[^\s"<>|()]+[^\s"<>|().,!?])
  | (?P<tag></?[a-z][^<>\s]*>)
  | (?P<smiley>[<>]?[:;=][-o*']?[()DP\\{{@|\[\]](?![A-Za-z]))
  | (?P<run>\*\*+|\#\#+|__+|@@+|<<|>>)
  | (?P<language>(?<!\w)(?:c\+\+|[cf]\#)(?!\w))
  | (?P<mixture>\d+\ \d+/\d+\b)
  | (?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
  | (?P<handle>[@\#]{_LETTER}[\w]*)
  | (?P<apostrophe>o'(?:clock|er)\b|ma'am\b|'n'|'em\b|'cause\b|'t(?:is|was)\b|ol'(?!\w)|c'mon\b|y'(?=\w)
      |(?<!\w)'\d0s\b|(?<!\w)'\d\d\b
      |d'ye\b|[dl]'{_LETTER}{{2,}}|[A-HJ-XZ]'{_LETTER}{{2,}})
  | (?P<suffix>'(?:s|m|d|re|ve|ll|n)(?!\w)|n't(?!\w))
  | (?P<acronym>{_LETTER}(?:\.{_LETTER})+\.?(?![\w])|(?:ph|{_LETTER})\.{_LETTER}\.(?!\w))
  | (?P<abbreviation>(?:{"|".join(_ABBREVIATIONS.split())})\.(?![\w])|no\.(?=\s*\d))
  | (?P<initial>(?<![\w.'&/-]){_LETTER}\.(?![\w.]))
  | (?P<compound>(?:{_WORD}|\d+)(?:[-_](?:{_WORD}|\d{_LETTER}*|\d)+)+(?:/\w+(?:[-_]\w+)*)*)
  | (?P<slashed>{_LETTER}[\w]*(?:/{_LETTER}[\w]*)+|\d+(?:[-/]\d+)+)
  | (?P<time>\d{{1,2}}:\d\d)
  | (?P<mixed>\d+{_LETTER}(?:{_LETTER}|\d)*(?:[-_]\w+)*)
  | (?P<number>(?<![\w.)'])[-+]?(?:\d+(?:[.,:]\d+)*|[.,]\d+(?:[.,]\d+)*)|\d+(?:[.,:]\d+)*|[.,]\d+)
  | (?P<firm>[A-Z]+(?:&[A-Z]+)+\b)
  | (?P<fused>(?:cannot|gonna|gotta|wanna|lemme|gimme)\b)
  | (?P<negated>{_LETTER}+?(?=n't(?!\w)))
  | (?P<word>{_WORD})
  | (?P<dots>\.\.+) | (?P<dashes>--+) | (?P<marks>[!?]+)
  | (?P<other>\S)
"""
_TOKEN = re.compile(_RULES, re.VERBOSE | re.IGNORECASE)
_FIRM = re.compile(r"[A-Z]+(?:&[A-Z]+)+$")
# characters that the program leaves out: emoji and all else beyond the first plane, marks that only say how to draw, guillemets
_LEFT_OUT = re.compile(
    "[\U00010000-\U0010ffff\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff«»‹›\u3008-\u301b\u20a1-\u20ab\u20ad-\u20e4]"
)
_PLAIN = str.maketrans(
    {"\u00ad": None, "’": "'", "‘": "`", "“": '"', "”": '"', "–": "--", "—": "--", "…": "...", "\u00a0": " "}
)


def tokens(text: str) -> list[str]:
    """The tokens of one caption that the scores compare; line breaks count as spaces."""
    return [token for token in _treebank(_LEFT_OUT.sub(" ", text.translate(_PLAIN))) if token not in PUNCTUATION]


def _treebank(text: str) -> list[str]:
    found: list[str] = []
    position = 0
    while match := _TOKEN.search(text, position):
        token, position = match[0], match.end()
        if match.lastgroup == "firm" and not _FIRM.match(token):  # "b&w" is three tokens, "B&W" is one
            position = match.start() + token.index("&")
            token = text[match.start() : position]
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
