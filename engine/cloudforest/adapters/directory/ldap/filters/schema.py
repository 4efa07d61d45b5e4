"""Attributes that a controller can be asked about, by their syntax ([MS-ADA1-3]).

Only those of the schema that every Active Directory has: of an attribute that it does
not know, or that it constructs, a controller finds nothing, whatever is asked. Names
are in lower case.
"""

from __future__ import annotations

from typing import Literal

from cloudforest.program.scoping.comparing.syntax import INTEGERS

Syntax = Literal["text", "integer", "filetime", "time", "boolean"]

_TEXTS = """
admindescription c carlicense cn co comment company department departmentnumber
description displayname division employeeid employeenumber employeetype
facsimiletelephonenumber generationqualifier givenname homedirectory homephone info
initials ipphone l mail middlename mobile name o othermailbox othertelephone ou pager
personaltitle physicaldeliveryofficename postalcode postofficebox preferredlanguage
profilepath proxyaddresses roomnumber samaccountname scriptpath sn st street
streetaddress telephonenumber title uid url userprincipalname wwwhomepage
"""
_FILETIMES = "accountexpires lastlogontimestamp lockouttime pwdlastset"
_TIMES = "whenchanged whencreated"
_BOOLEANS = "iscriticalsystemobject msnpallowdialin showinadvancedviewonly"


SYNTAX: dict[str, Syntax] = {
    **dict.fromkeys(_TEXTS.split(), "text"),
    **dict.fromkeys(INTEGERS, "integer"),
    **dict.fromkeys(_FILETIMES.split(), "filetime"),
    **dict.fromkeys(_TIMES.split(), "time"),
    **dict.fromkeys(_BOOLEANS.split(), "boolean"),
}
