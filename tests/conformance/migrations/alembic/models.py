"""What the migrations end with."""

import enum

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Enum, ForeignKey, Identity, Index
from sqlalchemy import Numeric, String, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Mood(enum.Enum):
    sad = "sad"
    ok = "ok"


class Customer(Base):
    __tablename__ = "customer"
    __table_args__ = (Index("customer_lower_name", func.lower("name")), {"comment": "people"})
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    email: Mapped[str | None] = mapped_column(Text, unique=True)
    mood: Mapped[Mood | None] = mapped_column(Enum(Mood, name="mood"))
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    extra: Mapped[dict | None] = mapped_column(JSONB)
    key: Mapped[str | None] = mapped_column(UUID(as_uuid=False))
    orders: Mapped[list["Order"]] = relationship(back_populates="customer", cascade="all, delete-orphan")


class Order(Base):
    __tablename__ = "order"
    __table_args__ = (CheckConstraint("total >= 0", name="order_total"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"), index=True)
    total: Mapped[float] = mapped_column(Numeric(10, 2))
    placed: Mapped[str | None] = mapped_column(DateTime(timezone=True), server_default=func.now())
    customer: Mapped[Customer] = relationship(back_populates="orders")
