"""The headings of operation, each measured on a real system: `siren headings`.

A heading is a module with one constant, `HEADING`, and a line in `catalog.py`:

    async def measure(target: Target) -> AsyncIterator[Outcome]:
        site = await target.site()                      # the system that all headings share
        target.say("100 customers order for 10 s")      # what goes on now
        seen = await site.load(placed_paid_accepted, 100, target.seconds(10))
        wrong = len(seen.errors)
        yield Outcome(
            "orders over 100 connections", f"{seen.rate:,.0f}/s, {wrong} failed",
            at_most(wrong, 0), {"rate": seen.rate, "failed": wrong},
        )

    HEADING = Heading("saga", "356 requests/s", measure, limit_s=120)

It yields a row of the table as soon as it knows it, each with a verdict: `at_most` and `at_least`
compare a figure with what it must be and what it aims at, `all_of` is the worst of some. Whoever
needs settings of its own, or kills, stops or redeploys, asks for `async with target.own(name=…)`: a
system in a temporary folder, which ends with the block. `target.seconds(30)` and
`target.requests(50_000)` are less with `--quick`. What it raises is a row "failed"; so is a heading
that takes longer than `limit_s`.
"""
