"""Jobs on a machine that bills, as any vendor's service takes them: submitted once, found again, tested first."""
