"""Settings of one machine: a TOML file, and environment variables that win over it."""

import json
import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

from protocol.errors import FormatError


class LocalSettings(BaseSettings):
    """One kind of settings; `model_config` names the prefix of its variables, and says whether unknown keys are faults."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Settings that are made in code are what the code says: else writing them would take the environment into the file."""
        return (named["init_settings"],)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The settings in the file `path`, under the environment's.

        Raises `FileNotFoundError`, and `FormatError` naming every key that is missing, unknown or malformed.
        """
        return cls._parsed(path, EnvSettingsSource(cls)())

    @classmethod
    def written(cls, path: Path) -> Self:
        """The settings in the file `path` alone, to be changed and written again. Raises as `read` does."""
        return cls._parsed(path, {})

    @classmethod
    def _parsed(cls, path: Path, overrides: dict[str, Any]) -> Self:
        try:
            return cls(**{**tomllib.loads(path.read_text(encoding="utf-8")), **overrides})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise FormatError(f"{path} is not valid TOML: {error}; correct it there") from error
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
            prefix = cls.model_config["env_prefix"]
            raise FormatError(f"{path}, or a variable {prefix}… over it: {faults}; correct it there") from error

    def text(self) -> str:
        """The file that reads as these settings."""
        fields = self.model_dump(mode="json", exclude_none=True)
        lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in fields.items())
        # A JSON string is a TOML string, but for DEL, which JSON leaves bare and TOML wants escaped.
        return "".join(lines).replace("\x7f", "\\u007f")
