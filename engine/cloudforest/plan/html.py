"""Renders a plan as one self-contained page of HTML."""

from __future__ import annotations

import jinja2

from cloudforest.plan.plan import Plan
from cloudforest.plan.wording import (
    NOT_EVALUATED_NOTE,
    compare_list_items,
    describe_counts,
    describe_field_value,
    describe_guard,
    diff_words,
    guard_label,
    make_impact_tables,
    select_shown_fields,
    summarize_plan,
)

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>cloudforest plan</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem }
code, pre { font: 13px/1.5 ui-monospace, monospace }
.blocked { color: #b00020 } .warning { color: #8a5a00 }
del, .gone { color: #b00020 } ins, .new { color: #0a6b2d }
del, ins, pre span { text-decoration: none; display: block; white-space: pre-wrap }
pre b { text-decoration: underline } th, td { text-align: left; padding-right: 1rem }
</style>
<h1 {%- if plan.blocked %} class="blocked"{% endif %}>
{{ "Blocked by a guard: " if plan.blocked }}{{ total(plan) }}</h1>
<ul>
{%- if not plan.evaluated %}
<li>{{ not_evaluated }}
{%- endif %}
{% for impact in plan.impacts %}
<li><b>{{ impact.job }}</b>: {{ counts(impact) }}
{% for guard in impact.guards %}
<p class="blocked">{{ objection(impact) }}: {{ blocked(guard) }}
{%- if guard.allow %} Allow them with <code>{{ guard.allow }}</code>.{% endif %}</p>
{% endfor %}
{% for table in tables(impact) %}
<details open><summary>{{ table.title }}</summary><table>
<tr>{% for cell in table.columns %}<th>{{ cell }}</th>{% endfor %}</tr>
{% for row in table.rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table></details>
{% endfor %}
{% endfor %}
{% for consequence in plan.consequences %}
<li>{{ consequence.sentence }}
{% endfor %}
{% for warning in plan.warnings %}
<li class="warning">Warning: {{ warning }}
{% endfor %}
</ul>
{% for change in plan.changes %}
<details open><summary><code>{{ change }}</code></summary><pre>
{%- for field in fields(change) %}
{%- set before, after, lists, runs =
  field.before, field.after, items(field), word_diff(field) %}
{%- if lists is not none %}
{%- for each in lists[0] %}<del>- {{ field.path }}: {{ each }}</del>{% endfor %}
{%- for each in lists[1] %}<ins>+ {{ field.path }}: {{ each }}</ins>{% endfor %}
{%- elif runs is not none %}
{%- for sign, gone in (("-", "gone"), ("+", "new")) %}
{#- #}<span class="{{ gone }}">{{ sign }} {{ field.path }}: {% for run in runs -%}
{%- if run.kind == "same" %}{{ run.text }}
{%- elif run.kind == gone %}<b>{{ run.text }}</b>{% endif %}
{%- endfor %}</span>
{%- endfor %}
{%- else %}
{%- if before is not none %}
{#- #}<del>- {{ field.path }}: {{ text(field.path, before) }}</del>{% endif %}
{%- if after is not none %}
{#- #}<ins>+ {{ field.path }}: {{ text(field.path, after) }}</ins>{% endif %}
{%- endif %}
{%- endfor %}
</pre></details>
{% endfor %}
<p>Digest <code>{{ plan.digest }}</code>, against revision {{ plan.base }}
</html>
"""

_TEMPLATE = jinja2.Environment(autoescape=True).from_string(_PAGE)


def render_html(plan: Plan) -> str:
    return _TEMPLATE.render(
        plan=plan,
        total=summarize_plan,
        counts=describe_counts,
        tables=make_impact_tables,
        fields=select_shown_fields,
        blocked=describe_guard,
        text=describe_field_value,
        items=compare_list_items,
        objection=guard_label,
        not_evaluated=NOT_EVALUATED_NOTE,
        word_diff=diff_words,
    )
