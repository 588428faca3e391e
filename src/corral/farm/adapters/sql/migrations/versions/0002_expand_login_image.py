"""The image of a device's last login, for which it may renew its ticket."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; of logins before it, only the assignment says what the device was given."""
    with op.batch_alter_table("device") as device:
        device.add_column(
            sa.Column(
                "login_image_id",
                sa.Uuid,
                sa.ForeignKey("image.id", name="fk_device_login_image_id"),
            )
        )
