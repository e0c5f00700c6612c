"""Section `[access]`: who may come in through the gateway, for how long, how often, and where that is written down."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from nt_ray.config.sections import Section
from nt_ray.config.values import Folder, Number, Secret, Text, Whole


class Access(Section):
    """Who may come in through the gateway: tokens, keys, passwords, limits of use, and the audit log."""

    folder: Folder = Field(
        Path("state/access"), description="Folder of users, keys and audit log, readable by its owner alone."
    )
    token_algorithm: Literal["HS256", "EdDSA"] = Field("HS256", description="How access tokens are signed.")
    token_secret: Secret = Field(
        None,
        description="Secret of HS256, 64 bytes or more, or private key of EdDSA (Ed25519) as PEM; unset makes one in "
        "the folder.",
    )
    pepper: Secret = Field(
        None,
        description="Secret that hashes of keys depend on, 32 bytes or more; unset makes one in the folder.",
    )
    issuer: Text = Field("nt-ray", description="Who signs access tokens; others are refused.")
    audience: Text = Field("nt-ray", description="For whom access tokens are signed; others are refused.")
    access_minutes: Number = Field(15.0, gt=0, le=1440, description="Minutes for which an access token holds.")
    refresh_days: Number = Field(7.0, gt=0, le=365, description="Days for which a refresh token holds, once.")
    session_days: Number = Field(30.0, gt=0, le=3650, description="Days after which a login is needed in any case.")
    leeway_s: Number = Field(5.0, ge=0, le=300, description="Seconds by which clocks of servers may differ.")
    password_memory_mb: Whole = Field(64, ge=1, le=4096, description="Memory that checking a password takes, in MB.")
    password_passes: Whole = Field(3, ge=1, le=100, description="Passes over that memory.")
    lockout_after: Whole = Field(
        5,
        ge=1,
        le=1000,
        description="Failed logins after which a name is locked for an address, ever longer; ten times as many from "
        "everywhere lock it for all.",
    )
    block_after: Whole = Field(
        20, ge=1, le=100_000, description="False credentials after which an address may guess no more, ever longer."
    )
    backoff_s: Number = Field(
        30.0, gt=0, le=86400, description="Seconds of the first lock or block; each further failure doubles them."
    )
    longest_backoff_s: Number = Field(3600.0, gt=0, le=604_800, description="Longest lock or block, in seconds.")
    failure_window_s: Number = Field(
        900.0, gt=0, le=604_800, description="Seconds without a failure after which failures are forgotten."
    )
    per_minute: Whole = Field(
        600, ge=1, le=10_000_000, description="Requests a minute of a user or key that has no limit of its own."
    )
    address_per_minute: Whole = Field(1200, ge=1, le=10_000_000, description="Requests a minute of one address.")
    logins_per_minute: Whole = Field(10, ge=1, le=100_000, description="Logins a minute of one address.")
    burst_s: Number = Field(
        10.0, gt=0, le=60, description="Seconds whose requests may come at once; a limit allows one in any case."
    )
    redis: Secret = Field(
        None,
        description="redis://USER:PASSWORD@HOST:PORT/NUMBER that counts requests for all processes; unset counts in "
        "each.",
    )
    audit_file_mb: Number = Field(
        64.0, gt=0, le=100_000, description="Size at which the audit log begins a new file, in MB."
    )
    audit_durable: bool = Field(
        False, description="Wait for the disk at each entry of the audit log, so that it survives a loss of power."
    )
