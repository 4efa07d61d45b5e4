"""What Active Directory's own schema says of well-known attributes, in lower case.

Only those whose values are plain: an attribute that the schema lets have several values
and that has one in practice (`description`, `departmentNumber`) is in neither list.
"""

from __future__ import annotations

TEXTS = frozenset(
    """
    c cn co comment company department displayname division employeenumber employeetype
    givenname homephone info initials l mail manager mobile name
    physicaldeliveryofficename postalcode samaccountname sn st streetaddress
    telephonenumber title userprincipalname wwwhomepage mailnickname
    facsimiletelephonenumber ipphone pager homedirectory scriptpath profilepath
    """.split()  # noqa: SIM905 - one word each would be a page
)
"""Of one value, and a text that nobody reads as true or false."""

SINGLE = TEXTS | frozenset(
    [
        *(f"extensionattribute{number}" for number in range(1, 16)),
        "accountexpires",
        "admincount",
        "admindescription",
        "badpasswordtime",
        "badpwdcount",
        "codepage",
        "countrycode",
        "distinguishedname",
        "employeeid",
        "grouptype",
        "iscriticalsystemobject",
        "lastlogoff",
        "lastlogon",
        "lastlogontimestamp",
        "lockouttime",
        "logoncount",
        "ms-ds-consistencyguid",
        "msexchhidefromaddresslists",
        "objectguid",
        "objectsid",
        "primarygroupid",
        "pwdlastset",
        "samaccounttype",
        "useraccountcontrol",
        "usncreated",
        "usnchanged",
        "whencreated",
        "whenchanged",
    ]
)
"""Of one value at most."""

SEVERAL = frozenset(
    """
    altsecurityidentities directreports managedobjects member memberof objectclass
    otherfacsimiletelephonenumber otherhomephone otheripphone othermailbox othermobile
    otherpager othertelephone proxyaddresses serviceprincipalname showinaddressbook
    sidhistory usercertificate usersmimecertificate
    """.split()  # noqa: SIM905 - as above
)
"""Of several values, in no order."""

REFERENCES = frozenset(
    """
    assistant directreports managedby managedobjects manager member memberof owner
    roleoccupant secretary seealso msds-managedby msexchassistantname
    msexchcomanagedbylink msexchdelegatelistlink
    """.split()  # noqa: SIM905 - as above
)
"""Of other objects, which agents name by their objectGUID and not by their DN."""

NAMELESS = (TEXTS | {"description"}) - REFERENCES
"""Texts that name no other object, of one value or several."""

BINARY = frozenset(
    """
    jpegphoto logonhours ntsecuritydescriptor photo thumbnaillogo thumbnailphoto
    usercertificate usersmimecertificate
    """.split()  # noqa: SIM905 - as above
)
"""Bytes that are no text to anybody; of one value or several."""
