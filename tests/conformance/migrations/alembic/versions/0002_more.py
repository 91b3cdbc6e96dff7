"""More columns, one that is wider, an index that is built beside the traffic, and rows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade():
    op.alter_column("customer", "name", type_=sa.String(80))
    op.add_column("customer", sa.Column("extra", postgresql.JSONB))
    op.add_column("customer", sa.Column("key", postgresql.UUID))
    op.add_column("order", sa.Column("placed", sa.DateTime(timezone=True), server_default=sa.func.now()))
    with op.get_context().autocommit_block():
        op.create_index("customer_lower_name", "customer", [sa.text("lower(name)")], postgresql_concurrently=True)
    table = sa.table("customer", sa.column("name"), sa.column("email"))
    op.bulk_insert(table, [{"name": f"n{n}", "email": f"{n}@example.com"} for n in range(5)])


def downgrade():
    op.execute("delete from customer")
    op.drop_index("customer_lower_name", "customer")
    op.drop_column("order", "placed")
    for column in ["key", "extra"]:
        op.drop_column("customer", column)
    op.alter_column("customer", "name", type_=sa.String(40))
