"""Which Wi-Fi networks an uplink joins, and who has it join them: wpa_supplicant's words."""
