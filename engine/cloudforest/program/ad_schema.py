"""What Active Directory's own schema says of well-known attributes, in lower case.

Only those whose values are plain: an attribute that the schema lets have several values
and that has one in practice (`description`, `departmentNumber`) is in neither list.

How the attributes of Active Directory compare: as what, with case or without.

Strings of Unicode and Teletex syntax compare without, and so does whatever `CASE_EXACT`
does not name ([MS-ADA1-3]; names in lower case).
"""

from __future__ import annotations

SINGLE_TEXTS = frozenset(
    """
    c cn co comment company department displayname division employeenumber employeetype
    givenname homephone info initials l mail manager mobile name
    physicaldeliveryofficename postalcode samaccountname sn st streetaddress
    telephonenumber title userprincipalname wwwhomepage mailnickname
    facsimiletelephonenumber ipphone pager homedirectory scriptpath profilepath
    """.split()  # noqa: SIM905 - one word each would be a page
)
"""Of one value, and a text that nobody reads as true or false."""

SINGLE_VALUED = SINGLE_TEXTS | frozenset(
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

MULTI_VALUED = frozenset(
    """
    altsecurityidentities directreports managedobjects member memberof objectclass
    otherfacsimiletelephonenumber otherhomephone otheripphone othermailbox othermobile
    otherpager othertelephone proxyaddresses serviceprincipalname showinaddressbook
    sidhistory usercertificate usersmimecertificate
    """.split()  # noqa: SIM905 - as above
)
"""Of several values, in no order."""

REFERENCE_ATTRIBUTES = frozenset(
    """
    assistant directreports managedby managedobjects manager member memberof owner
    roleoccupant secretary seealso msds-managedby msexchassistantname
    msexchcomanagedbylink msexchdelegatelistlink
    """.split()  # noqa: SIM905 - as above
)
"""Of other objects, which agents name by their objectGUID and not by their DN."""

TEXT_ATTRIBUTES = (SINGLE_TEXTS | {"description"}) - REFERENCE_ATTRIBUTES
"""Texts that name no other object, of one value or several."""

BINARY_ATTRIBUTES = frozenset(
    """
    jpegphoto logonhours ntsecuritydescriptor photo thumbnaillogo thumbnailphoto
    usercertificate usersmimecertificate
    """.split()  # noqa: SIM905 - as above
)
"""Bytes that are no text to anybody; of one value or several."""


_IA5_AND_PRINTABLE = """
associateddomain bootfile bootparameter destinationindicator displaynameprintable gecos
iphostnumber ipnetmasknumber ipnetworknumber ipserviceprotocol loginshell macaddress
membernisnetgroup memberuid msnpcalledstationid msnpcallingstationid
msnpsavedcallingstationid msradiuscallbacknumber msrassavedcallbacknumber
mssfu30aliases mssfu30cryptmethod mssfu30domains mssfu30keyvalues mssfu30name
mssfu30netgrouphostatdomain mssfu30netgroupuseratdomain mssfu30nisdomain nismapentry
nismapname nisnetgrouptriple serialnumber unixhomedirectory unstructuredname
"""
_OCTETS = """
auditingpolicy jpegphoto logonhours msds-generationid msexchblockedsendershash
msexchmailboxguid msexchsafesendershash ntsecuritydescriptor photo thumbnaillogo
thumbnailphoto usercertificate userpassword userpkcs12 usersmimecertificate
"""

INTEGER_ATTRIBUTES = frozenset(
    """
    admincount codepage countrycode gidnumber grouptype primarygroupid samaccounttype
    uidnumber useraccountcontrol
    """.split()  # noqa: SIM905 - one word each would be a page
)
FILETIME_ATTRIBUTES = frozenset(
    """
    accountexpires badpasswordtime lastlogoff lastlogon lastlogontimestamp lockouttime
    msds-lastfailedinteractivelogontime msds-lastsuccessfulinteractivelogontime
    msds-userpasswordexpirytimecomputed pwdlastset
    """.split()  # noqa: SIM905 - as above
)
GENERALIZED_TIME_ATTRIBUTES = frozenset(
    """
    createtimestamp dscorepropagationdata modifytimestamp msexchwhenmailboxcreated
    whenchanged whencreated
    """.split()  # noqa: SIM905 - as above
)
"""Of generalized time."""

CASE_EXACT_ATTRIBUTES = frozenset((_IA5_AND_PRINTABLE + _OCTETS).split())


def _lower_character(character: str) -> str:
    lower = character.lower()
    if len(lower) != 1 or lower.isascii() is not character.isascii():
        return character
    return lower


def lower_case(text: str) -> str:
    """Return what two strings share that differ in case alone, letter by letter.

    A directory does not take one letter for two, or a Kelvin sign for a K, as
    `casefold` does: with that, what it finds would be less than what we accept.
    """
    return text.lower() if text.isascii() else "".join(map(_lower_character, text))
