"""`siren backup` and `siren restore` say what they did, and why not."""

import asyncio
import shutil
from pathlib import Path

from actors.settings import Settings
from tests.support.backups import with_one_order
from tests.support.command import sentence, siren


def test_commands_say_what_they_did(
    tmp_path: Path, old: Settings, new: Settings, folder: Path
) -> None:
    asyncio.run(with_one_order(old))
    taken = siren("backup", str(folder), data=old.data_dir)
    assert taken.exit_code == 0, taken.output
    assert "up to journal position 4" in taken.stdout
    checked = siren("backup", str(folder), "--verify")
    assert "is whole" in checked.stdout
    back = siren("restore", str(folder), data=new.data_dir)
    assert "up to journal position 4" in back.stdout
    assert "forget them again" in " ".join(back.stdout.split())
    assert siren("verify", data=new.data_dir).exit_code == 0
    assert "something already of journal" in sentence(
        siren("restore", str(folder), data=new.data_dir)
    )
    assert "holds no whole backup" in sentence(siren("backup", str(tmp_path), "--verify"))
    shutil.rmtree(old.data_dir)
    assert "has `siren up` ever run" in sentence(siren("backup", str(folder), data=old.data_dir))
