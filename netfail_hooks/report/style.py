"""How the report's page looks: on a phone and a wide screen, light or dark, printed."""

from __future__ import annotations

from netfail_hooks.timeline.svg import STYLE as PICTURES

# back, raised, edge, text, faint, link, good, waiting, bad; in timeline/svg.py the same.
LIGHT = (
    "#ffffff",
    "#f6f8fa",
    "#d1d9e0",
    "#1f2328",
    "#59636e",
    "#0550ae",
    "#116329",
    "#7d4e00",
    "#a40e26",
)
DARK = (
    "#0d1117",
    "#161b22",
    "#3d444d",
    "#f0f6fc",
    "#9198a1",
    "#79c0ff",
    "#56d364",
    "#e3b341",
    "#ff7b72",
)
_NAMES = ("back", "raised", "edge", "text", "faint", "link", "good", "waiting", "bad")


def _colours(values: tuple[str, ...]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in zip(_NAMES, values, strict=True))


STYLE = f"""\
:root {{ color-scheme: light dark; {_colours(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_colours(DARK)} }} }}
* {{ box-sizing: border-box }}
body {{ margin: 0; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }}
header, main, footer {{ max-width: 62rem; margin: 0 auto; padding: 0 1rem }}
h1 {{ font-size: 1.5rem; margin: 1rem 0 0 }}
h2 {{ font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--edge) }}
h3 {{ font-size: 1rem; margin: 1.25rem 0 .25rem }}
p {{ margin: .4rem 0 }}
a {{ color: var(--link) }}
nav ul {{ list-style: none; padding: 0; margin: .5rem 0;
  display: flex; flex-wrap: wrap; gap: 0 1rem }}
nav a {{ display: inline-block; padding: .5rem 0 }}
.skip {{ position: absolute; left: -99rem }}
.skip:focus {{ left: 1rem; background: var(--back); padding: .5rem }}
:focus-visible {{ outline: 3px solid var(--link); outline-offset: 2px }}
table {{ border-collapse: collapse; width: 100%; font-size: .95rem }}
caption {{ text-align: left; color: var(--faint); padding: .25rem 0 }}
th, td {{ text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0;
  border-bottom: 1px solid var(--edge) }}
th, td {{ overflow-wrap: normal }}
th[scope="row"], .words {{ overflow-wrap: anywhere }}
td:last-child .words {{ display: inline-block; min-width: 4.5rem }}
td.number, th.number {{ text-align: right }}
td.number {{ font-variant-numeric: tabular-nums }}
th[scope="row"] {{ min-width: 4.25rem }}
.good {{ color: var(--good) }} .waiting {{ color: var(--waiting) }} .bad {{ color: var(--bad) }}
.good, .waiting, .bad {{ font-weight: 600 }}
.kept {{ white-space: nowrap }}
.faint {{ color: var(--faint) }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .25rem .75rem;
  margin: .6rem 0; font-size: .95rem }}
dt {{ grid-column: 1; color: var(--faint) }} dd {{ grid-column: 2; margin: 0 }}
ol, ul {{ padding-left: 1.25rem }} main li {{ margin: .75rem 0 }} li li {{ margin: .25rem 0 }}
pre {{ background: var(--raised); border: 1px solid var(--edge); border-radius: 6px;
  padding: .6rem; margin: .4rem 0; white-space: pre-wrap; font-size: .85rem }}
summary {{ padding: .5rem 0; cursor: pointer }}
svg.wide, svg.narrow {{ width: 100%; height: auto; display: block }}
svg.narrow {{ display: none }}
svg.narrow text {{ paint-order: stroke; stroke: var(--back); stroke-width: 4px }}
svg.patterns {{ position: absolute; width: 0; height: 0 }}
@media (max-width: 40rem) {{
  svg.wide {{ display: none }} svg.narrow {{ display: block }}
  th, td {{ padding-right: .4rem; font-size: .875rem }}
}}
@media (max-width: 24rem) {{
  th, td {{ padding-right: .25rem; font-size: .75rem }}
  th[scope="row"] {{ min-width: 3.25rem }}
}}
@media print {{ nav, .skip {{ display: none }} }}
{PICTURES}"""
