"""Attributes of Active Directory whose values compare with case ([MS-ADA1-3]).

Strings of Unicode and Teletex syntax compare without case, and so does whatever is not
named here. Names are in lower case.
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

CASE_EXACT = frozenset((_IA5_AND_PRINTABLE + _OCTETS).split())
