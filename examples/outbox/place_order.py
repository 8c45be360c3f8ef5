# From another language: `python3 examples/outbox/place_order.py DATABASE_URL ID CUSTOMER`, with psycopg2 (`apt-get install python3-psycopg2`)
import json
import sys

import psycopg2


# #region place
def place_order(connection, order_id: int, customer: str):
    with connection, connection.cursor() as cursor:  # commits, or rolls back if something is raised
        cursor.execute("INSERT INTO orders (id, customer) VALUES (%s, %s)", (order_id, customer))
        payload = json.dumps({"orderId": order_id, "customer": customer})
        cursor.execute(
            "INSERT INTO holdfast_outbox (type, payload, idempotency_key, ordering_key)"
            " VALUES (%s, %s, %s, %s)",
            ("send-receipt", payload, f"receipt-{order_id}", customer),
        )
# #endregion


if __name__ == "__main__":
    url, order_id, customer = sys.argv[1:]
    place_order(psycopg2.connect(url), int(order_id), customer)
