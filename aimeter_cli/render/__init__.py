"""Rendering: the only writer to stdout, and the one class that speaks on stderr.

A noun is declared once, in ``render/nouns/<noun>.py``, and serves every format::

    PLAN = Noun("plan", (
        Column("slug", ID),                               # row.slug, or row["slug"]
        Column("cost_limit", MONEY, none="unlimited"),    # beside row.currency
        Column("currency", table=False),                  # JSON and ``show`` only
        Column("started_at", TIME, get="subscription.started_at"),
        Column("items", ROWS, of=SYNC_ITEM, table=False), # nested: a table of its own
    ), next="aimeter plans show {slug}")                  # below a list on a terminal

A command gets ``run = invocation(ctx)`` and prints through ``run.out``::

    run.out.rows(PLAN, plans, empty="No plan yet: aimeter plans create NAME")
    run.out.one(PLAN, plan)

On a terminal times are ages, words of status have their colours, and numbers and ids are never
broken: columns for which a line has no room, the lowest ``priority`` first, stand below it.
``rows`` is an array in JSON, one object a line in JSONL, a table elsewhere; ``one`` is an object,
or lines of field and value. Notices go through ``run.console``: ``notice``, ``warn``, ``error``
and ``detail`` (with --verbose only); all but ``error`` are silent with --quiet. A long job::

    with run.progress("Importing", total=None) as advance:
        advance(1000)              # so many more done
        advance(0, total=25_000)   # the total has become known
"""
