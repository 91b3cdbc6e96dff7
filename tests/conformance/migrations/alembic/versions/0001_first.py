"""Tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision, down_revision, branch_labels, depends_on = "0001", None, None, None


def upgrade():
    op.create_table(
        "customer",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("email", sa.Text, unique=True),
        sa.Column("mood", sa.Enum("sad", "ok", name="mood")),
        sa.Column("tags", postgresql.ARRAY(sa.Text)),
        comment="people",
    )
    op.create_table(
        "order",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("customer_id", sa.BigInteger, sa.ForeignKey("customer.id", ondelete="CASCADE"), nullable=False),
        sa.Column("total", sa.Numeric(10, 2), nullable=False),
        sa.CheckConstraint("total >= 0", name="order_total"),
    )
    op.create_index("ix_order_customer_id", "order", ["customer_id"])


def downgrade():
    op.drop_table("order")
    op.drop_table("customer")
    op.execute("drop type mood")
