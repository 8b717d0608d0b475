"""What must hold for every order, however many processes were killed on its way."""

PAID = "payment-service"
STOCK = "inventory-service"
SENT = "shipping-service"


def holds(lab, instance_id):
    """Ask the ledgers about the order of a workflow that has ended.

    Raises:
        AssertionError: something does not hold; says what, in words.
    """
    run = lab.run(instance_id)
    status = run.status
    assert status == "COMPLETED", f"the order has no end: its workflow is {status}"
    order, result = run.input, run.output
    stock_is_conserved(lab)
    order_id = order.get("order_id")
    reserved = still_open(lab, STOCK, "reservations", "released_at", order_id)
    sent = still_open(lab, SENT, "deliveries", "cancelled_at", order_id)
    paid = still_open(lab, PAID, "payments", "refunded_at", order_id)
    mails = [m for m in lab.inbox if m.subject.startswith(f"Order {order_id} ")]
    if run.history.name == "fulfil_order":
        assert sent or not paid, f"{order_id} was charged and is neither delivered nor refunded"
        assert paid or not sent, f"{order_id} is delivered and was not charged"
    assert reserved or not sent, f"{order_id} is delivered from goods that were not reserved"
    assert sent or not reserved, f"{order_id} holds goods that nobody will deliver"
    assert sent or not mails, f"{order_id} was confirmed by mail and is not delivered"
    fulfilled = result["status"] == "fulfilled"
    assert bool(sent) == fulfilled, f"{order_id} is reported as {result['status']}, " + (
        "and a delivery is scheduled" if sent else "and no delivery is scheduled"
    )
    wanted = [(order.get("item"), order.get("quantity"))]
    for what, rows in (("goods reserved", reserved), ("goods delivered", sent)):
        assert [goods_of(r) for r in rows] in ([], wanted), f"{order_id}: other {what} than ordered"
    assert len(paid) < 2, f"{order_id} was charged {len(paid)} times"
    assert [r["amount"] for r in paid] in ([], [order.get("amount")]), f"{order_id}: wrong amount"


def stock_is_conserved(lab):
    """What the shop received is on the shelf, or is reserved."""
    shelf = {r["item"]: r["quantity"] for r in lab.ledger(STOCK, "stock")}
    held = [goods_of(r) for r in lab.ledger(STOCK, "reservations") if not r["released_at"]]
    for row in lab.ledger(STOCK, "received"):
        item = row["item"]
        there = shelf.get(item, 0) + sum(quantity for name, quantity in held if name == item)
        assert there == row["quantity"], (
            f"of {row['quantity']} x {item}, {there} are on the shelf or reserved"
        )


def still_open(lab, app_id, table, undone, order_id):
    """Return the rows of an order that were not undone."""
    rows = lab.ledger(app_id, table)
    return [r for r in rows if r["order_id"] == order_id and not r[undone]]


def goods_of(row):
    return row["item"], row["quantity"]
