"""HTML and CSS of the report page."""

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1b1f24; --quiet: #57606a; --page: #fff; --line: #d5dae0; --card: #f3f5f7;
  --link: #0067a3; --warn: #fff4d6; --warn-line: #b07800; --stamp: #b3261e
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e9ec; --quiet: #a9b2bc; --page: #15181c; --line: #3a424b; --card: #22272e;
    --link: #6cb6ff; --warn: #3a2f10; --warn-line: #e0a000
  }
}
body {
  font: 15px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  color: var(--ink);
  background: var(--page);
  max-width: 980px;
  margin: 0 auto;
  padding: 20px
}
h1 { font-size: 26px; margin: 0 0 4px; overflow-wrap: anywhere }
h2 { font-size: 19px; margin: 30px 0 10px; border-bottom: 1px solid var(--line) }
a { color: var(--link) }
.quiet { color: var(--quiet); font-size: 13px }
.stamp {
  background: var(--stamp);
  color: #fff;
  padding: 10px 14px;
  border-radius: 6px;
  font-weight: 600;
  margin: 16px 0
}
.warning {
  background: var(--warn); border-left: 4px solid var(--warn-line);
  padding: 8px 14px; margin: 12px 0
}
.found { font-size: 16px; margin: 14px 0 }
dt { font-weight: 600; margin-top: 6px } dd { margin: 0 0 0 16px; color: var(--quiet) }
.numbers { display: flex; flex-wrap: wrap; gap: 10px; margin: 12px 0 }
.numbers div { background: var(--card); border-radius: 6px; padding: 6px 14px }
.numbers b { display: block; font-size: 20px }
.numbers span { font-size: 12.5px; color: var(--quiet) }
figure { margin: 14px 0; break-inside: avoid }
figure img { max-width: 100%; height: auto; display: block; background: #fff; border-radius: 3px }
figcaption { font-size: 13px; color: var(--quiet); margin-top: 4px }
figcaption b { color: var(--ink) }
.several { display: flex; flex-wrap: wrap; gap: 16px }
.several figure.small { flex: 1 1 280px; max-width: 300px; margin: 0 }
.several figure.half { flex: 1 1 400px; max-width: 470px; margin: 0 }
.several figure.half img { width: 100% }
.several figure.wide { flex: 1 1 100%; margin: 0 }
.wide-table { overflow-x: auto }
table { border-collapse: collapse; font-size: 13.5px; margin: 8px 0 }
th, td {
  text-align: left;
  padding: 4px 14px 4px 0;
  border-bottom: 1px solid var(--line);
  vertical-align: top;
  overflow-wrap: anywhere
}
tr.flagged td { background: var(--warn) }
td.hash {
  font-family: ui-monospace, "DejaVu Sans Mono", monospace;
  font-size: 11.5px;
  word-break: break-all
}
blockquote {
  margin: 0; padding: 10px 16px; background: var(--card); border-left: 4px solid var(--link);
  overflow-wrap: anywhere
}
code { font-size: 12.5px; word-break: break-word }
details summary { cursor: pointer; color: var(--link); font-size: 13.5px }
@media print { :root { color-scheme: light } }
"""

STAMP = "SMOKE RUN: this run was shortened to test that everything works. Its results mean nothing."

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>{{ style|safe }}</style>
</head>
<body>
{% macro draw(pictures) %}<div class="several">
{% for picture in pictures %}<figure class="{{ picture.kind }}">
<img alt="{{ picture.alt }}" src="data:image/png;base64,{{ picture.data }}">
<figcaption><b>Figure {{ picture.number }}.</b> {{ picture.caption }}</figcaption>
</figure>
{% endfor %}</div>{% endmacro %}
<h1>{{ title }}</h1>
<div class="quiet">{% if subtitle %}{{ subtitle }} · {% endif %}written {{ facts.created }}</div>
{% if facts.smoke_run %}<div class="stamp" role="alert">{{ stamp }}</div>{% endif %}
<div class="numbers">
{% for text, value in numbers %}<div><b>{{ value }}</b><span>{{ text }}</span></div>
{% endfor %}</div>
{% for text in findings %}<div class="found">{{ text }}</div>
{% endfor %}
{% if facts.warnings %}<div class="warning" role="alert">
<b>Unlike the images that the model was trained on</b>
{% for text in facts.warnings %}<div>{{ text }}</div>{% endfor %}</div>{% endif %}
{% if facts.missing %}<div class="warning"><b>Images without a result</b>
{% for name, images in facts.missing.items() %}
<div>{{ name }}: {{ images|join(", ") }}</div>{% endfor %}</div>{% endif %}

{% if facts.table %}<table>
<tr>{% for name in facts.table[0] %}<th>{{ name.replace("_", " ") }}</th>{% endfor %}</tr>
{% for row in facts.table %}<tr>
{% for value in row.values() %}<td>{{ "" if value is none else format_score(value) }}</td>
{% endfor %}</tr>
{% endfor %}</table>
<p class="quiet">The best method is first; differences are from {{ facts.baseline }}.</p>{% endif %}

{% if unscored %}<p class="quiet">{{ unscored }}</p>{% endif %}
{% for section, pictures in sections if section == first %}
{{ draw(pictures) }}
{% endfor %}

{% if summary %}<h2>Images</h2>
<div class="wide-table"><table>
<tr>{% for name in columns %}<th>{{ name.replace("_", " ") }}</th>{% endfor %}</tr>
{% for row in summary %}<tr
{%- if row.get("flags", "none") != "none" %} class="flagged"{% endif %}>
{% for name in columns %}<td>{{ "" if row.get(name) is none else format(row.get(name)) }}</td>
{%- endfor %}</tr>
{% endfor %}</table></div>
{% if facts.summary|length > summary|length %}
<p class="quiet">
{{ summary|length }} of {{ facts.summary|length }} are shown; all are in summary.csv.</p>
{% endif %}{% endif %}

{% for section, pictures in sections if section != first %}
<h2>{{ section }}</h2>
{{ draw(pictures) }}
{% endfor %}

{% if terms %}<details><summary>What the terms mean</summary>
<dl>
{% for word, meaning in terms %}<dt>{{ word }}</dt><dd>{{ meaning }}</dd>
{% endfor %}</dl></details>{% endif %}

<h2>Methods, in words</h2>
<blockquote>{{ prose }}</blockquote>
<p class="quiet">Read it before you use it: it holds what the run folder states, and
cannot know where the images come from.
{% if reference %}Cite
<a href="https://doi.org/{{ facts.method.paper.doi }}">{{ reference }}</a>.{% endif %}</p>

{% for heading, rows in tables %}
<h2>{{ heading }}</h2>
<table>
{% for name, value in rows %}
<tr><th>{{ name.replace("_", " ") }}</th><td>{{ format(value) }}</td></tr>
{% endfor %}</table>
{% endfor %}

{% if facts.command %}<h2>Command</h2>
<p><code>{{ facts.command }}</code></p>{% endif %}

{% if hashes %}<h2>Files</h2>
<details><summary>sha256 of {{ hashes|length }} files</summary>
<table>{% for one in hashes %}<tr><td>{{ one.file }}</td><td class="hash">{{ one.sha256 }}</td></tr>
{% endfor %}</table></details>{% endif %}
</body>
</html>
"""
