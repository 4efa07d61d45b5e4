"""What Active Directory's schema says about well-known attributes ([MS-ADA1-3]).

Names are in lower case. An attribute that may have several values, and has one in
practice (`description`, `departmentNumber`), counts neither as single-valued nor as
multi-valued. Values compare without case, except in `CASE_EXACT_ATTRIBUTES`.
"""

from __future__ import annotations

from datetime import UTC, datetime

SINGLE_TEXTS = frozenset(
    """
    c cn co comment company department displayname division employeenumber employeetype
    givenname homephone info initials l mail manager mobile name
    physicaldeliveryofficename postalcode samaccountname sn st streetaddress
    telephonenumber title userprincipalname wwwhomepage mailnickname
    facsimiletelephonenumber ipphone pager homedirectory scriptpath profilepath
    """.split()  # noqa: SIM905 - one word each would be a page
)
"""Single-valued attributes with a text that never means true or false."""

SINGLE_VALUED = SINGLE_TEXTS | frozenset(
    """
    accountexpires admincount admindescription badpasswordtime badpwdcount codepage
    countrycode distinguishedname employeeid grouptype iscriticalsystemobject lastlogoff
    lastlogon lastlogontimestamp lockouttime logoncount ms-ds-consistencyguid
    msexchhidefromaddresslists objectguid objectsid primarygroupid pwdlastset
    samaccounttype useraccountcontrol usncreated usnchanged whencreated whenchanged
    """.split()  # noqa: SIM905 - as above
    + [f"extensionattribute{number}" for number in range(1, 16)]
)
"""Attributes with one value at most."""

MULTI_VALUED = frozenset(
    """
    altsecurityidentities directreports managedobjects member memberof objectclass
    otherfacsimiletelephonenumber otherhomephone otheripphone othermailbox othermobile
    otherpager othertelephone proxyaddresses serviceprincipalname showinaddressbook
    sidhistory usercertificate usersmimecertificate
    """.split()  # noqa: SIM905 - as above
)
"""Attributes with several values, in no order."""

REFERENCE_ATTRIBUTES = frozenset(
    """
    assistant directreports managedby managedobjects manager member memberof owner
    roleoccupant secretary seealso msds-managedby msexchassistantname
    msexchcomanagedbylink msexchdelegatelistlink
    """.split()  # noqa: SIM905 - as above
)
"""Attributes that name other objects: agents send objectGUIDs instead of DNs."""

TEXT_ATTRIBUTES = (SINGLE_TEXTS | {"description"}) - REFERENCE_ATTRIBUTES
"""Attributes with texts that do not name other objects."""

BINARY_ATTRIBUTES = frozenset(
    """
    jpegphoto logonhours ntsecuritydescriptor photo thumbnaillogo thumbnailphoto
    usercertificate usersmimecertificate
    """.split()  # noqa: SIM905 - as above
)
"""Attributes with bytes that are not readable as text."""

_IA5_AND_PRINTABLE = """
associateddomain bootfile bootparameter destinationindicator displaynameprintable gecos
iphostnumber ipnetmasknumber ipnetworknumber ipserviceprotocol loginshell macaddress
membernisnetgroup memberuid msnpcalledstationid msnpcallingstationid
msnpsavedcallingstationid msradiuscallbacknumber msrassavedcallbacknumber
mssfu30aliases mssfu30cryptmethod mssfu30domains mssfu30keyvalues mssfu30name
mssfu30netgrouphostatdomain mssfu30netgroupuseratdomain mssfu30nisdomain nismapentry
nismapname nisnetgrouptriple serialnumber unixhomedirectory unstructuredname
"""
_OTHER_OCTETS = """
auditingpolicy msds-generationid msexchblockedsendershash msexchmailboxguid
msexchsafesendershash userpassword userpkcs12
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

CASE_EXACT_ATTRIBUTES = BINARY_ATTRIBUTES | frozenset(
    (_IA5_AND_PRINTABLE + _OTHER_OCTETS).split()
)
"""Attributes whose values compare with case."""

FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
"""A FILETIME counts units of 100 ns from here ([MS-DTYP] 2.3.3)."""


def _lower_character(character: str) -> str:
    lower = character.lower()
    if len(lower) != 1 or lower.isascii() is not character.isascii():
        return character
    return lower


def lower_case(text: str) -> str:
    """Return a text in lower case, as a directory compares it: letter by letter.

    Unlike `casefold`, a directory never equates one letter with two, or the Kelvin sign
    with K. With `casefold` we would accept objects that its own filters do not find.
    """
    return text.lower() if text.isascii() else "".join(map(_lower_character, text))
