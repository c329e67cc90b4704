"""Whose credentials requests are signed with."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import aiobotocore.config
import botocore.exceptions

from turboupload.core.doctor.facts import Caller, Credentials, masked
from turboupload.omics.error_mapping import credentials_failed
from turboupload.omics.surroundings import credential_program

__all__ = ["Identity"]

_PROVIDERS: Final = {
    "env": "the environment (AWS_ACCESS_KEY_ID)",
    "shared-credentials-file": "the credentials file",
    "config-file": "the config file",
    "assume-role": "a role that the profile assumes",
    "assume-role-with-web-identity": "a role by a web identity token",
    "sso": "IAM Identity Center (aws sso login)",
    "login": "aws login",
    "custom-process": "the profile's credential_process",
    "iam-role": "the role of this EC2 instance",
    "container-role": "the role of this container",
}
"""botocore's names for its providers, in words."""


class Identity:
    """Finds whose credentials sign the requests, for display only.

    Args:
        session: aiobotocore's.
        custom_endpoint: Whether the service is not AWS's own: then its credentials must not be sent
            to AWS's token service.
        client_config: Makes a client's configuration for an endpoint.
        verify: As aiobotocore's clients take it.
    """

    def __init__(
        self,
        session: Any,
        *,
        custom_endpoint: bool,
        client_config: Callable[[str], aiobotocore.config.AioConfig],
        verify: str | bool | None,
    ) -> None:
        self._session = session
        self._custom_endpoint = custom_endpoint
        self._client_config = client_config
        self._verify = verify

    async def credentials(self) -> Credentials | None:
        """The credentials, as far as they may be shown; None if none are configured.

        Raises:
            LinkFailed: They can't be obtained.
        """
        try:
            found = await self._session.get_credentials()
            if found is None:
                return None
            frozen = await found.get_frozen_credentials()
        except Exception as error:  # providers raise all sorts of things
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            raise credentials_failed(
                "credentials", cause, program=credential_program(self._session)
            ) from error
        expires = getattr(found, "_expiry_time", None)  # of botocore's RefreshableCredentials
        return Credentials(
            provider=_PROVIDERS.get(found.method, str(found.method)),
            key_id=masked(str(frozen.access_key)),
            expires_at=expires if isinstance(expires, datetime) else None,
        )

    async def caller(self, region: str) -> Caller:
        """Who that is, by STS's GetCallerIdentity, which needs no permission.

        Args:
            region: Whose token service is asked.
        """
        if self._custom_endpoint and not os.environ.get("AWS_ENDPOINT_URL_STS"):
            return Caller(unknown="AWS's token service is not asked for another endpoint")
        endpoint = os.environ.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{region}.amazonaws.com"
        try:
            async with self._session.create_client(
                "sts",
                region_name=region,
                verify=self._verify,
                config=self._client_config(endpoint),
            ) as client:
                reply = await client.get_caller_identity()
            return Caller(arn=str(reply["Arn"]), account=str(reply["Account"]))
        except botocore.exceptions.ClientError as error:
            code = str((error.response.get("Error") or {}).get("Code") or "an error")
            return Caller(unknown=f"the token service answered {code}")
        except Exception as error:  # of the wire, or a reply of another form
            return Caller(unknown=f"the token service gave no answer ({type(error).__name__})")
