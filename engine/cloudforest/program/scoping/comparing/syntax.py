"""How the attributes of Active Directory compare: as what, with case or without.

Strings of Unicode and Teletex syntax compare without, and so does whatever `CASE_EXACT`
does not name ([MS-ADA1-3]; names in lower case).
"""

from __future__ import annotations

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

INTEGERS = frozenset(
    """
    admincount codepage countrycode gidnumber grouptype primarygroupid samaccounttype
    uidnumber useraccountcontrol
    """.split()  # noqa: SIM905 - one word each would be a page
)
FILETIMES = frozenset(
    """
    accountexpires badpasswordtime lastlogoff lastlogon lastlogontimestamp lockouttime
    msds-lastfailedinteractivelogontime msds-lastsuccessfulinteractivelogontime
    msds-userpasswordexpirytimecomputed pwdlastset
    """.split()  # noqa: SIM905 - as above
)
TIMES = frozenset(
    """
    createtimestamp dscorepropagationdata modifytimestamp msexchwhenmailboxcreated
    whenchanged whencreated
    """.split()  # noqa: SIM905 - as above
)
"""Of generalized time."""

CASE_EXACT = frozenset((_IA5_AND_PRINTABLE + _OCTETS).split())


def _lowered(character: str) -> str:
    lower = character.lower()
    if len(lower) != 1 or lower.isascii() is not character.isascii():
        return character
    return lower


def without_case(text: str) -> str:
    """Return what two strings share that differ in case alone, letter by letter.

    A directory does not take one letter for two, or a Kelvin sign for a K, as
    `casefold` does: with that, what it finds would be less than what we accept.
    """
    return text.lower() if text.isascii() else "".join(map(_lowered, text))
